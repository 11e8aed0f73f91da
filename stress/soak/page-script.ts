/** What the page of a soak does in a browser, as text: it draws `given`, or what events bring. */
export const PAGE_SCRIPT = `
const byId = (id) => document.getElementById(id);
const make = (name, text, className) => {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
};
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const MIB = 2 ** 20;
const COLORS = ['#3b7dd8', '#d9722e', '#3a9a5b', '#9a5bc4'];
const mib = (column) => column.map((bytes) => bytes / MIB);
const CHARTS = [
  { title: 'Operations', unit: 'per second', lines: (c) => [['all threads', c.operations]] },
  { title: 'Latency of reads', unit: 'ms, logarithmic', log: true,
    lines: (c) => [['median', c.p50[0]], ['p99.9', c.p999[0]]] },
  { title: 'Latency of writes', unit: 'ms, logarithmic', log: true,
    lines: (c) => [['median', c.p50[1]], ['p99.9', c.p999[1]]] },
  { title: 'Loads, scans, aggregates', unit: 'ms, logarithmic', log: true,
    lines: (c) => [['median', c.p50[2]], ['p99.9', c.p999[2]]] },
  { title: 'Memory', unit: 'MiB', lines: (c) => [['resident', mib(c.series.rss)], ['shared', mib(c.series.shared)],
    ['external', mib(c.series.external)]] },
  { title: 'Heaps in use', unit: 'MiB', lines: (c) => [['main thread', mib(c.series.heap)], ['threads that use it', mib(c.clientHeap)]] },
  { title: 'Memory of the supervisor', unit: 'MiB',
    lines: (c) => [['resident', mib(c.series.judgeRss)], ['heap', mib(c.series.judgeHeap)]] },
  { title: 'Rows', unit: 'versions that are not merged yet, too', lines: (c) => [['rows', c.rows]] },
  { title: 'Disk', unit: 'MiB', lines: (c) => [['files', mib(c.series.disk)]] },
  { title: 'Descriptors and handles', unit: 'count',
    lines: (c) => [['descriptors', c.series.descriptors], ['handles', c.series.handles]] },
  { title: 'Delay of event loops', unit: 'ms, the mean of the latest thread', lines: (c) => [['delay', c.series.loop]] },
];
let data = given;
const plots = [];

/** Faults, as lines behind what is drawn. */
function drawFaults(plot) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = color('--line');
  ctx.lineWidth = devicePixelRatio;
  for (const { atMs } of data.faults) {
    const x = Math.round(plot.valToPos(atMs / 60000, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

function dataOf(chart) {
  return [data.columns.minutes, ...chart.lines(data.columns).map(([, column]) => column)];
}

function decades(plot, index, low, high) {
  const powers = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) powers.push(10 ** power);
  return powers;
}

function draw() {
  const axis = { stroke: color('--faint'), grid: { stroke: color('--line'), width: 1 }, ticks: { stroke: color('--line') } };
  for (const chart of CHARTS) {
    const figure = make('figure');
    const caption = make('figcaption', chart.title + ' ');
    caption.append(make('span', chart.unit));
    figure.append(caption);
    byId('charts').append(figure);
    const series = chart.lines(data.columns).map(([label], i) => {
      const value = (_, v) => (v == null ? '–' : v.toLocaleString('en-US', { maximumFractionDigits: 3 }));
      return { label, stroke: COLORS[i], width: 1.25, points: { show: false }, value, spanGaps: true };
    });
    const size = (values) => 16 + 7 * Math.max(3, ...(values ?? []).map((v) => (v ?? '').length));
    const y = { ...axis, size: (_, values) => size(values), ...(chart.log ? { splits: decades } : {}) };
    const options = {
      width: figure.clientWidth, height: 210,
      cursor: { sync: { key: 'soak' } },
      scales: { x: { time: false }, y: chart.log ? { distr: 3 } : { range: (_, low, high) => [Math.min(0, low), high * 1.05 || 1] } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map((tick) => tick + ' min') }, y],
      series: [{ label: 'minute', value: (_, v) => (v == null ? '–' : v.toFixed(2)) }, ...series],
      hooks: { drawClear: [drawFaults] },
    };
    plots.push({ chart, figure, plot: new uPlot(options, dataOf(chart), figure) });
  }
}

function table(headings, rows) {
  const element = make('table');
  const head = element.createTHead().insertRow();
  for (const heading of headings) head.append(make('th', heading));
  const body = element.createTBody();
  for (const cells of rows) {
    const row = body.insertRow();
    for (const cell of cells) {
      if (cell instanceof Node) row.append(cell);
      else row.append(make('td', cell, /^[\\d,.]+$/.test(cell) ? 'number' : ''));
    }
  }
  return element;
}

const MARKS = { true: ['✓ holds', 'holds'], false: ['✗ broken', 'broken'], null: ['– not shown', 'open'] };

function write() {
  byId('title').textContent = data.title;
  byId('about').textContent = data.about;
  const verdicts = data.verdicts.map(({ promise, holds, figure, bound }) => {
    const [text, name] = MARKS[String(holds)];
    return [make('td', text, 'mark ' + name), promise, figure, bound];
  });
  const shown = verdicts.length === 0 ? [] : [make('h2', 'Promises'), table(['', 'promise', 'what was seen', 'bound'], verdicts)];
  byId('verdicts').replaceChildren(...shown);
  const broken = data.broken.map(({ atMs, step, what }) => [time(atMs), step, what]);
  byId('broken').replaceChildren(...(broken.length === 0 ? [] : [make('h2', 'Broken', 'broken'), table(['at', 'step', 'what'], broken)]));
  const kinds = Map.groupBy(data.faults, ({ name }) => name);
  const sums = [...kinds].map(([name, all]) => [name, String(all.length), all[0].expected]);
  const list = make('details');
  list.append(make('summary', 'All ' + data.faults.length + ', one by one'));
  list.append(table(['at', 'fault', 'ms', 'what was seen'], data.faults.map(({ atMs, ms, name, seen }) => [time(atMs), name, String(Math.round(ms)), seen])));
  byId('faults').replaceChildren(make('h2', 'Faults'), table(['fault', 'times', 'what was expected'], sums), list);
}

function time(ms) {
  const two = (value) => String(value).padStart(2, '0');
  const seconds = Math.floor(ms / 1000);
  return Math.floor(seconds / 3600) + ':' + two(Math.floor(seconds / 60) % 60) + ':' + two(seconds % 60);
}

function show(next) {
  data = next;
  write();
  if (plots.length === 0) draw();
  else for (const { chart, plot } of plots) plot.setData(dataOf(chart));
}

addEventListener('resize', () => {
  for (const { figure, plot } of plots) plot.setSize({ width: figure.clientWidth, height: 210 });
});

if (given !== null) show(given);
else {
  const events = new EventSource('events');
  events.addEventListener('all', ({ data: text }) => show(JSON.parse(text)));
  events.addEventListener('now', ({ data: text }) => { byId('now').textContent = JSON.parse(text); });
  events.addEventListener('error', () => { byId('now').textContent = 'The soak has ended, or cannot be reached.'; });
}
`;
