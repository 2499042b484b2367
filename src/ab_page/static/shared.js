// What is shown at the moment: the one thing that all modules read and change.

export const page = {
  state: null, // what the server said last
  views: [], // the screens that aren't answered yet, first the one that is shown
  current: null, // the view that is shown
  shownAt: 0, // when it was painted; 0: not yet
  lookedAway: false, // then the time it took says nothing
  excluding: false, // the next image that is picked is excluded
};
