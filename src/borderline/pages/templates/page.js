const NARROW = 600;
const HEIGHT = 460;
const LINE = 40;

function inLines(text) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length > LINE) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines.join('<br>');
}

// Charts are drawn when they come near the screen, so that the page opens sooner.
const waiting = new Map();
for (const data of document.querySelectorAll('script[data-of]')) {
  waiting.set(document.getElementById(data.dataset.of), data);
}

function readPlotly() {
  const code = document.getElementById('plotly-code');
  if (code.type === 'text/javascript') return;
  const script = document.createElement('script');
  script.textContent = code.textContent;
  code.replaceWith(script);
  script.id = 'plotly-code';
  script.type = 'text/javascript';
}

function draw(plot) {
  const data = waiting.get(plot);
  if (!data) return Promise.resolve(plot);
  waiting.delete(plot);
  readPlotly();
  const {data: traces, layout} = JSON.parse(data.textContent);
  const narrow = plot.clientWidth < NARROW;
  if (narrow) {
    layout.margin = {...layout.margin, l: 56, r: 12};
    layout.font = {...layout.font, size: 11};
    for (const [name, axis] of Object.entries(layout)) {
      if (/^[xy]axis/.test(name) && axis.title?.text) axis.title.text = inLines(axis.title.text);
    }
    // A narrow screen has no room for a legend beside the chart.
    layout.legend = {
      ...layout.legend, orientation: 'h', x: 0, xanchor: 'left', y: -0.25, yanchor: 'top',
    };
    layout.height = (layout.height ?? HEIGHT) + 18 * traces.filter((trace) => trace.name).length / 2;
  }
  // The page shows the title as a caption, which wraps.
  layout.margin = {...layout.margin, t: Math.min(layout.margin?.t ?? 80, 80)};
  layout.height ??= HEIGHT;
  return Plotly.newPlot(plot, traces, layout, {responsive: true, displaylogo: false}).then(() => {
    if (layout.meta?.pictures) showPictures(plot);
    plot.dataset.drawn = '';
    return plot;
  });
}

const watcher = new IntersectionObserver(
  (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
    watcher.unobserve(entry.target);
    draw(entry.target);
  }),
  {rootMargin: '600px'},
);
for (const plot of waiting.keys()) watcher.observe(plot);

// Zoom to a cluster with a margin; without a cluster, to the whole map.
async function zoom(id, cluster) {
  const plot = await draw(document.getElementById(id));
  if (cluster === '') {
    return Plotly.relayout(plot, {'xaxis.autorange': true, 'yaxis.autorange': true});
  }
  const index = plot.data.findIndex(
    (trace) => [`cluster ${cluster}`, `exemplar ${cluster}`].includes(trace.name) && ![false, 'legendonly'].includes(trace.visible),
  );
  if (index < 0) return undefined;
  const range = (name) => {
    const values = plot.calcdata[index].map((point) => point[name]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const room = 0.15 * (high - low) || 1;
    return [low - room, high + room];
  };
  return Plotly.relayout(plot, {'xaxis.range': range('x'), 'yaxis.range': range('y')});
}

for (const chooser of document.querySelectorAll('select[data-map]')) {
  chooser.addEventListener('change', () => zoom(chooser.dataset.map, chooser.value));
}
for (const link of document.querySelectorAll('a[data-map]')) {
  link.addEventListener('click', () => {
    const chooser = document.querySelector(`select[data-map="${link.dataset.map}"]`);
    chooser.value = link.dataset.cluster;
    zoom(link.dataset.map, link.dataset.cluster);
  });
}

document.getElementById('theme-button').addEventListener('click', () => {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
});

// Print everything: open details, load images, draw charts.
addEventListener('beforeprint', () => {
  for (const part of document.querySelectorAll('details')) part.open = true;
  for (const image of document.querySelectorAll('img[loading]')) image.loading = 'eager';
  for (const plot of [...waiting.keys()]) draw(plot);
});
