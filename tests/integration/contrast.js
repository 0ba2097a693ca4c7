// The page's texts that stand out from their ground by less than 4.5 to 1: class, tag and ratio (WCAG 2.2, 1.4.3).
(() => {
  const linear = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = (colour) => {
    const [red, green, blue] = colour.match(/[\d.]+/g).map((value) => linear(value / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!colour.endsWith(", 0)")) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const ink = (node) => getComputedStyle(node)[node.closest("svg") ? "fill" : "color"];
  const ratio = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  return [...document.querySelectorAll("body *:not(title)")]
    .filter(hasText)
    .map((node) => [node.getAttribute("class"), node.tagName, ratio(luminance(ink(node)), luminance(ground(node)))])
    .filter((row) => row[2] < 4.5);
})();
