/** What pages are made of: the frame, tables, bars, lists of facts. A page needs nothing but itself. */
import { CLIP } from './chart.ts';
import { escapeText } from './html.ts';
import { STYLE } from './style.ts';

export function page(title: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<svg width="0" height="0" style="position:absolute" aria-hidden="true">${CLIP}</svg>
${content}
</body>
</html>
`;
}

export function factList(facts: Readonly<Record<string, string>>): string {
  const entries = Object.entries(facts).map(
    ([name, value]) => `<div><dt>${escapeText(name)}</dt><dd>${escapeText(value)}</dd></div>`,
  );
  return `<dl class="facts">${entries.join('')}</dl>`;
}

export type Cell =
  | string
  | {
      readonly text: string;
      readonly isMissed: boolean;
      /** How long a bar behind the text is, in percent of the cell. */
      readonly share?: number;
    };

/** A table; the first column to the left, the others to the right. It scrolls by itself on a phone. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cellOf = (cell: Cell): string => {
    if (typeof cell === 'string') return `<td>${cell}</td>`;
    const classes = [...(cell.isMissed ? ['missed'] : []), ...(cell.share ? ['meter'] : [])];
    const style = cell.share ? ` style="--share:${cell.share.toFixed(0)}%"` : '';
    return `<td class="${classes.join(' ')}"${style}>${cell.text}</td>`;
  };
  return `<div class="scroll"><table><thead><tr>${head.map((text) => `<th>${escapeText(text)}</th>`).join('')}</tr></thead>
<tbody>${rows.map((row) => `<tr>${row.map(cellOf).join('')}</tr>`).join('\n')}</tbody></table></div>`;
}

export function card(title: string, saidInHtml: string, content: string): string {
  return `<figure><figcaption><b>${escapeText(title)}</b> ${saidInHtml}</figcaption>${content}</figure>`;
}

export interface Bar {
  readonly name: string;
  /** How long it is. */
  readonly value: number;
  readonly text: string;
  /** How it compares with ours. */
  readonly note: string;
  /** Ours, another, or one that is no match. */
  readonly kind: 'ours' | 'other' | 'faint';
  readonly title?: string;
}

export function bars(figures: readonly Bar[]): string {
  const longest = Math.max(...figures.map(({ value }) => value));
  const items = figures.map(({ name, value, text, note, kind, title }) => {
    const share = ((100 * value) / longest).toFixed(1);
    const hint = title === undefined ? '' : ` title="${escapeText(title)}"`;
    return `<li class="${kind}"${hint}><span>${escapeText(name)}</span><i style="--share:${share}%"></i><b>${escapeText(text)}</b><em>${escapeText(note)}</em></li>`;
  });
  return `<ol class="bars">${items.join('\n')}</ol>`;
}
