// Keeps a page fresh while something runs, sends a form once, and takes on the colours of the Airflow around it.
"use strict";

const root = document.documentElement;

function parentWindow() {
  try {
    return window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    return null; // another origin
  }
}

function takeColours() {
  const parent = parentWindow();
  if (parent) {
    root.dataset.theme = parent.document.documentElement.classList.contains("dark") ? "dark" : "light";
  }
}

// A frame may not take the reader elsewhere; Airflow's own router can.
function leaveFrame(event) {
  const link = event.target.closest("a.airflow");
  const parent = parentWindow();
  if (link && parent) {
    event.preventDefault();
    parent.history.pushState({}, "", link.href);
    parent.dispatchEvent(new parent.PopStateEvent("popstate", { state: {} }));
  }
}

async function refresh() {
  if (document.hidden) {
    return true;
  }
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (!answer.ok) {
    return false; // what is shown stays, and says of when it is
  }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const open = [...document.querySelectorAll("details")].map((one) => one.open);
  document.getElementById("page").replaceWith(fresh.getElementById("page"));
  document.querySelectorAll("details").forEach((one, place) => (one.open = Boolean(open[place])));
  return "live" in fresh.body.dataset;
}

async function keepFresh() {
  const seconds = Number(document.body.dataset.live);
  let goesOn = seconds > 0;
  while (goesOn) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    goesOn = await refresh().catch(() => true);
  }
}

// A second press of its button would be told that somebody has decided already.
function sendOnce(event) {
  if (event.target.dataset.sent) {
    event.preventDefault();
  }
  event.target.dataset.sent = "yes";
}

takeColours();
document.addEventListener("click", leaveFrame);
document.addEventListener("submit", sendOnce);
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
keepFresh();
