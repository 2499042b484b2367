// Shows the scores on Score Images, below its settings, as the program's own Preview Any shows texts.
import { app } from "../../scripts/app.js";
import { ComfyWidgets } from "../../scripts/widgets.js";

const NODE = "AestheticScoreImages";

function widgetOf(node) {
  const known = node.widgets?.find((widget) => widget.name === "said");
  if (known) return known;
  const { widget } = ComfyWidgets.STRING(node, "said", ["STRING", { multiline: true }], app);
  widget.options.serialize = false; // what is shown is no input of the node
  widget.serializeValue = () => undefined;
  widget.serialize = false; // nor a part of the saved workflow
  if (widget.inputEl) widget.inputEl.readOnly = true;
  return widget;
}

app.registerExtension({
  name: "aesthetic.scores",
  beforeRegisterNodeDef(type, definition) {
    if (definition.name !== NODE) return;
    const created = type.prototype.onNodeCreated;
    type.prototype.onNodeCreated = function () {
      created?.apply(this, arguments);
      widgetOf(this);
    };
    const executed = type.prototype.onExecuted;
    type.prototype.onExecuted = function (output) {
      executed?.apply(this, arguments);
      widgetOf(this).value = (output?.text ?? []).join("\n");
    };
  },
});
