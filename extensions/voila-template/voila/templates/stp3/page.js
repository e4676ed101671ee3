// The cover stays until there is something to see under it, so that nothing jumps.
(() => {
  const cover = document.getElementById("loading");
  let lifted = false;
  const lift = () => {
    if (lifted) return;
    lifted = true;
    watcher.disconnect();
    cover.classList.add("stp3-leaving");
    setTimeout(() => cover.remove(), 200);
  };
  const failed = '[data-mime-type="application/vnd.jupyter.stderr"], [data-mime-type="application/vnd.jupyter.error"]';
  const look = () => {
    if (document.querySelector(`.stp3-viewer[data-state], ${failed}`)) lift();
    else if (document.querySelector(".jupyter-widgets")) setTimeout(lift, 3000);
  };
  const watcher = new MutationObserver(look);
  watcher.observe(document.body, { childList: true, subtree: true });
  setTimeout(() => {
    if (!lifted) document.getElementById("loading_text").textContent = "This takes longer than usual…";
  }, 15000);
  // Voilà calls these while it works; the theme decides nothing here, so nothing waits for it.
  window.voila_process = () => {};
  window.display_cells = window.voila_finish = () => {
    document.getElementById("rendered_cells").style.display = "";
  };
})();
