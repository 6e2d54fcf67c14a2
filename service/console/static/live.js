"use strict";
// The page of one notification moves while one looks: #live is asked for again whenever the server
// says that something moved. Without a stream it is asked for each 10 s.
(() => {
  const POLL_MS = 10000;
  let source = null;
  let poll = 0;

  const live = () => document.getElementById("live");

  function move() {
    if (live()) htmx.trigger(live(), "moved");
  }

  function stop() {
    if (source) source.close();
    clearTimeout(poll);
    source = null;
    poll = 0;
  }

  function askLater() {
    poll = setTimeout(() => {
      poll = 0;
      move();
      follow();
    }, POLL_MS);
  }

  // Follow what is shown while it can still move, and somebody looks.
  function follow() {
    const url = live() && live().dataset.events;
    if (!url || document.hidden) return stop();
    if (source || poll) return;
    source = new EventSource(url);
    source.addEventListener("moved", move);
    source.addEventListener("error", () => {
      if (source === null || source.readyState !== EventSource.CLOSED) return; // it tries again by itself
      source = null;
      askLater();
    });
  }

  document.addEventListener("DOMContentLoaded", follow);
  document.addEventListener("htmx:afterSettle", follow);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) move();
    follow();
  });
  addEventListener("pagehide", stop);
})();
