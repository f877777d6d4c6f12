import { init } from 'echarts'
import { type Figure, isMissed, shown } from '../figure.ts'

const size = { width: 900, labels: 370, right: 90, panel: 46, line: 44, top: 34 } as const
const colors = { ours: '#3b6fb6', missed: '#c0392b', reference: '#b8bec7', limit: '#222222', text: '#222222' } as const

const label = {
  show: true,
  position: 'right',
  formatter: ({ value }: { readonly value: number }): string => shown(value),
}

/** Ours beside the reference of every figure of a part, one panel for each unit, with the bar as a mark; an SVG. */
export const chartOf = (figures: readonly Figure[]): string => {
  const panels = [...Map.groupBy(figures, ({ unit }) => unit)]
  const heights = panels.map(([, inside]) => size.panel + inside.length * size.line)
  const height = size.top + heights.reduce((sum, each) => sum + each, 0)
  const topOf = (panel: number): number => size.top + heights.slice(0, panel).reduce((sum, each) => sum + each, 0)
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: size.width, height })
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { color: colors.text },
    legend: {
      top: 4,
      data: [
        { name: 'ours', itemStyle: { color: colors.ours } },
        { name: 'reference', itemStyle: { color: colors.reference } },
        { name: 'what ours must reach', itemStyle: { color: colors.limit } },
      ],
    },
    grid: panels.map(([, inside], panel) => ({
      left: size.labels,
      right: size.right,
      top: topOf(panel),
      height: inside.length * size.line,
    })),
    xAxis: panels.map(([unit], gridIndex) => ({
      type: 'value',
      gridIndex,
      name: unit,
      min: 0,
      splitNumber: 4,
      nameTextStyle: { color: colors.text },
    })),
    yAxis: panels.map(([, inside], gridIndex) => ({
      type: 'category',
      gridIndex,
      inverse: true,
      data: inside.map(({ name }) => name),
      axisTick: { show: false },
      axisLabel: { color: colors.text, width: size.labels - 20, overflow: 'break' },
    })),
    series: panels.flatMap(([, inside], panel) => {
      const place = { xAxisIndex: panel, yAxisIndex: panel, silent: true, emphasis: { disabled: true } }
      return [
        {
          ...place,
          type: 'bar',
          name: 'ours',
          barWidth: 13,
          label,
          data: inside.map(figure => ({
            value: figure.ours,
            itemStyle: { color: isMissed(figure) ? colors.missed : colors.ours },
          })),
        },
        {
          ...place,
          type: 'bar',
          name: 'reference',
          barWidth: 13,
          itemStyle: { color: colors.reference },
          label,
          data: inside.map(({ reference }) => reference),
        },
        {
          ...place,
          type: 'scatter',
          name: 'what ours must reach',
          symbol: 'rect',
          symbolSize: [3, 34],
          z: 3,
          itemStyle: { color: colors.limit },
          data: inside.flatMap(figure => (figure.bar === null ? [] : [[limitOf(figure), figure.name]])),
        },
      ]
    }),
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  // Classes are there for the pointer alone, and numbered by process: a chart is the same whatever was drawn before it.
  return `${svg.replaceAll(/ class="[^"]*"/g, '').replace(/<style[^]*<\/style>\s*/, '')}\n`
}

/** The value of ours at which the ratio is the bar. Of a rate more is better; all else is a time, a size or a cost. */
export const limitOf = ({ reference, bar, unit }: Figure): number => {
  if (bar === null) return Number.NaN
  return unit.endsWith('/s') ? reference * bar : reference / bar
}
