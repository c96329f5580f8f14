// etc/bench.svg from a report: for each workload one bar for each of our two ways to run, and for Courier, as ratio to
// Dovecot's better mode, on a logarithmic scale around 1. Text and lines take their colour from the reader's theme.
import { principalRatio, type Report, type WorkloadReport } from "./results.ts";

const width = 860;
const labelWidth = 330;
const valueWidth = 60;
const barHeight = 9;
const groupGap = 12;
const top = 64;
const left = labelWidth + 10;
const plotWidth = width - left - valueWidth;

const series = [
  { candidate: "dewey, combined", colour: "#1f77b4" },
  { candidate: "dewey, separate", colour: "#74b3e0" },
  { candidate: "courier", colour: "#c0883c" },
] as const;

export function chart(report: Report): string {
  const groups = report.workloads.map((workload) => ({
    workload,
    bars: series.flatMap(({ candidate, colour }) => {
      const result = workload.results.find((one) => one.candidate === candidate);
      const ratio = result === undefined ? null : principalRatio(workload, result);
      return ratio === null ? [] : [{ candidate, colour, ratio }];
    }),
  }));
  const ratios = groups.flatMap(({ bars }) => bars.map(({ ratio }) => ratio));
  const [least, most] = [Math.min(0.5, ...ratios), Math.max(4, ...ratios)];
  const x = (ratio: number): number => left + (plotWidth * Math.log(ratio / least)) / Math.log(most / least);

  let y = top;
  const rows = groups.map(({ workload, bars }) => {
    const height = Math.max(1, bars.length) * (barHeight + 1);
    const row = [
      text(labelWidth, y + height / 2 + 4, label(workload), 'text-anchor="end"'),
      ...bars.map(({ colour, candidate, ratio }, index) => {
        const at = y + index * (barHeight + 1);
        const [from, to] = [Math.min(x(1), x(ratio)), Math.max(x(1), x(ratio))];
        const bar =
          `<rect x="${px(from)}" y="${at}" width="${px(to - from)}" height="${barHeight}" fill="${colour}">` +
          `<title>${candidate}</title></rect>`;
        return bar + text(to + 4, at + barHeight - 0.5, figure(ratio), 'class="value"');
      }),
    ];
    y += height + groupGap;
    return row.join("\n");
  });
  const scale = [0.1, 0.25, 0.5, 1, 2, 4, 10, 20, 50, 100, 1000].filter(
    (ratio) => ratio >= least && ratio <= most,
  );
  const lines = scale.map((ratio) => {
    const line = `<line x1="${px(x(ratio))}" x2="${px(x(ratio))}" y1="${top - 6}" y2="${y - groupGap + 4}"`;
    return `${line} class="${ratio === 1 ? "one" : "grid"}"/>${text(x(ratio), top - 11, `${ratio} ×`, 'text-anchor="middle" class="value"')}`;
  });
  const legend = series.map(({ candidate, colour }, index) => {
    const at = left + index * 150;
    return `<rect x="${at}" y="28" width="10" height="10" fill="${colour}"/>${text(at + 15, 37, candidate)}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img"
  aria-label="dewey-pop3 and Courier against Dovecot's better mode, by workload">
<style>
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 13px; }
.value { font-size: 10px; }
.grid { stroke: #8c959f; stroke-opacity: 0.3; }
.one { stroke: #8c959f; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } }
</style>
${text(10, 18, "Times Dovecot's better mode, in the same run (right of the line: ahead of Dovecot; logarithmic)", 'class="title"')}
${[...legend, ...lines, ...rows].join("\n")}
</svg>
`;
}

function label({ name, counts }: WorkloadReport): string {
  return `${name} (${{ rate: "speed", cpu: "work for a CPU second", memory: "memory" }[counts]})`;
}

function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${px(x)}" y="${px(y)}" ${attributes}>${content}</text>`;
}

function px(value: number): string {
  return value.toFixed(1);
}

function figure(ratio: number): string {
  return ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(2);
}
