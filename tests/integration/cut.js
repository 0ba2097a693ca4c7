// What a reader cannot see without scrolling sideways: beyond the window, or beyond an element that hides or scrolls.
(() => {
  const wide = document.documentElement.clientWidth;
  const isShown = (node) => node.getClientRects().length && !node.closest(".tip, .unseen, svg *");
  const mayScroll = (node) => PHONE && node.closest(".scroll");
  return [...document.querySelectorAll("body *")]
    .filter((node) => isShown(node) && !mayScroll(node))
    .filter((node) => {
      const box = node.getBoundingClientRect();
      const clips = getComputedStyle(node).overflowX !== "visible" && node.scrollWidth > node.clientWidth;
      return clips || box.right > wide + 0.5 || box.left < -0.5;
    })
    .map((node) => `${node.tagName} ${node.className}`);
})();
