// Makes an element's content that of some HTML, and leaves what is the same where it is: what has the focus, is
// selected, scrolled or opened stays so.
export function morph(element, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  children(element, template.content);
}

// Elements of one list are told apart by data-key.
const key = (node) => node.dataset?.key;
const fits = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && key(a) === key(b);

function children(old, fresh) {
  const keyed = new Map();
  for (const child of old.children) if (key(child)) keyed.set(key(child), child);
  let at = old.firstChild;
  for (const want of [...fresh.childNodes]) {
    const known = key(want) && keyed.get(key(want));
    if (known && known !== at) old.insertBefore(known, at);
    const is = known ?? at;
    if (is && fits(is, want)) {
      same(is, want);
      at = is.nextSibling;
    } else {
      old.insertBefore(want, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function same(old, want) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== want.nodeValue) old.nodeValue = want.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!want.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of [...want.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  children(old, want);
}
