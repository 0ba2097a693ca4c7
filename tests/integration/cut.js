// What a reader cannot see without scrolling sideways: beyond the window, an element that hides or
// scrolls, or its picture; and a name in a picture that runs into its note.
(() => {
  const wide = document.documentElement.clientWidth;
  const isShown = (node) => node.getClientRects().length && !node.closest(".tip, .unseen, svg *");
  const mayScroll = (node) => PHONE && node.closest(".scroll");
  const drawn = [...document.querySelectorAll("svg text")].filter((node) => node.getClientRects().length);
  const within = (box, all) => box.left >= all.left - 0.5 && box.right <= all.right + 0.5;
  const cut = drawn.filter((node) => {
    const notes = [...node.querySelectorAll(".note")].map((note) => note.getBoundingClientRect());
    const box = node.getBoundingClientRect();
    return !within(box, node.closest("svg").getBoundingClientRect()) || notes.some((note) => note.left - box.left < 5);
  });
  const beyond = [...document.querySelectorAll("body *")]
    .filter((node) => isShown(node) && !mayScroll(node))
    .filter((node) => {
      const box = node.getBoundingClientRect();
      const clips = getComputedStyle(node).overflowX !== "visible" && node.scrollWidth > node.clientWidth;
      return clips || box.right > wide + 0.5 || box.left < -0.5;
    })
    .map((node) => `${node.tagName} ${node.className}`);
  return [...beyond, ...cut.map((node) => node.textContent)];
})();
