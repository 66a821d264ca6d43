// Small helpers over the DOM. Text goes in as text nodes only: nothing that a person wrote is ever parsed as HTML.

// h('button', {class: 'icon', aria: {label: 'Send'}, data: {mark: 'seen'}, on: {click: go}, disabled: true}, 'text', node)
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === 'class') element.className = value;
    else if (key === 'aria') for (const [name, each] of Object.entries(value)) element.setAttribute(`aria-${name}`, each);
    else if (key === 'data') Object.assign(element.dataset, value);
    else if (key === 'on') for (const [name, each] of Object.entries(value)) element.addEventListener(name, each);
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const kIcons = {
  back: 'M15 5l-7 7 7 7',
  send: 'M5 12h13M12 5l7 7-7 7',
  plus: 'M12 5v14M5 12h14',
  people: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6M16 4.5a3.5 3.5 0 0 1 0 6.2M18 14.5c2.1.8 3.5 2.7 3.5 5.5',
  leave: 'M14 4h4a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2h-4M10 8l-4 4 4 4M6 12h9',
  more: 'M6 12h.01M12 12h.01M18 12h.01',
  close: 'M6 6l12 12M18 6L6 18',
  edit: 'M4 20l1-4L16 5l3 3L8 19l-4 1z',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  reply: 'M9 8l-5 5 5 5M4 13h10c4 0 6 2 6 6',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4',
  down: 'M6 10l6 6 6-6',
  info: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5M12 8h.01',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3 2',
  tick: 'M5 13l4.5 4.5L19 7.5',
  ticks: 'M1 12.5l5 5L16 7M11.5 16.5l1 1L23 7',
  alert: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v6M12 16.5h.01',
};

export function icon(name) {
  const namespace = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(namespace, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', `icon icon-${name}`);
  const path = document.createElementNS(namespace, 'path');
  path.setAttribute('d', kIcons[name]);
  svg.append(path);
  return svg;
}

// Makes `container` hold one element per item, in order. An element is built anew only when its `signature` changed,
// so focus, hover and scrolling survive a redraw.
export function reconcile(container, items, { key, signature, build }) {
  const before = new Map([...container.children].map((element) => [element.dataset.key, element]));
  let place = container.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    const mark = signature(item);
    let element = before.get(name);
    before.delete(name);
    if (!element || element.signature !== mark) {
      const fresh = build(item);
      fresh.dataset.key = name;
      fresh.signature = mark;
      if (element) {
        if (place === element) place = fresh;
        element.replaceWith(fresh);
      }
      element = fresh;
    }
    if (place === element) place = element.nextElementSibling;
    else container.insertBefore(element, place);
  }
  for (const element of before.values()) element.remove();
}

const kLink = /\bhttps?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g;

// Text with its http and https addresses as links: nothing else becomes one.
export function linked(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(kLink)) {
    nodes.push(text.slice(end, match.index));
    nodes.push(h('a', { href: match[0], target: '_blank', rel: 'noopener noreferrer nofollow' }, match[0]));
    end = match.index + match[0].length;
  }
  nodes.push(text.slice(end));
  return nodes.filter((node) => node !== '');
}

// One of eight colours, which follows from the name: a person has the same one everywhere.
export function hue_of(name) {
  let hash = 7;
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
  return hash % 8;
}

// A coloured disc with the first letter.
export function avatar(name, presence = null) {
  const dot = presence ? h('span', { class: `dot ${presence}` }) : null;
  return h('span', { class: `avatar hue-${hue_of(name)}`, aria: { hidden: 'true' } }, [...name][0]?.toUpperCase() ?? '?', dot);
}
