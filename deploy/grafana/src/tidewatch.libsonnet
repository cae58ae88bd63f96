// What the dashboards are made of. A dashboard is rows of panels; ids and places follow from their order.
//
// Metrics and labels are those of the services' metrics.rs; docs/dashboards.md tells how to add a panel.

local config = import 'config.libsonnet';

local datasource = { type: 'prometheus', uid: '${datasource}' };

// How wide a row of panels is, as Grafana counts.
local columns = 24;

local thresholds(steps) = {
  mode: 'absolute',
  steps: [{ color: steps[0], value: null }] + steps[1],
};

// To a page outside Grafana.
local link(title, url, tooltip) = {
  asDropdown: false,
  icon: 'doc',
  includeVars: false,
  keepTime: false,
  tags: [],
  targetBlank: true,
  title: title,
  tooltip: tooltip,
  type: 'link',
  url: url,
};

{
  // The filters that every metric of ours takes. `namespace` exists on Kubernetes; elsewhere All matches its absence.
  filter: 'namespace=~"$namespace"',
  // The same for what exists in every process.
  process: 'namespace=~"$namespace", job=~"$job", instance=~"$instance"',

  // Alerts but those of canaries, which are no attacks and of which nobody is told.
  attacks: 'namespace=~"$namespace", rule!="tidewatch_canary"',

  // An expression, but only of the processes of one service. Their job may be called anything.
  of(service, expr):: '(%s) * on (namespace, job, instance) group_left () max by (namespace, job, instance) (tidewatch_build_info{service="%s"})' % [expr, service],

  // How much a counter grew whose series appear with their first count, as those with a label that nobody can
  // name beforehand: `increase` alone does not see how such a series began, and an alert that happened once would
  // never be shown. What is new within the range counts in full.
  grown(series, range):: '(increase(%(series)s[%(range)s]) and %(series)s offset %(range)s or (%(series)s unless %(series)s offset %(range)s))' % { series: series, range: range },

  // A quantile of a histogram, over all but the labels named.
  quantile(q, series, by=''):: 'histogram_quantile(%s, sum by (%s) (rate(%s[$__rate_interval])))' % [q, std.join(', ', ['le'] + (if by == '' then [] else [by])), series],

  // Thresholds: bad from a value on, or below one.
  plain: thresholds(['green', []]),
  bad(from):: thresholds(['green', [{ color: 'red', value: from }]]),
  warn(from, bad):: thresholds(['green', [{ color: 'orange', value: from }, { color: 'red', value: bad }]]),
  low(ok):: thresholds(['red', [{ color: 'green', value: ok }]]),

  // What is asked, and how a series is called.
  target(expr, legend, instant=false):: {
    expr: expr,
    legend: legend,
    instant: instant,
  },

  local targets(list, format) = [
    {
      datasource: datasource,
      editorMode: 'code',
      expr: list[index].expr,
      format: format,
      instant: list[index].instant,
      legendFormat: list[index].legend,
      range: !list[index].instant,
      refId: std.char(std.codepoint('A') + index),
    }
    for index in std.range(0, std.length(list) - 1)
  ],

  // Everything that every panel has. `runbooks` are alerts that docs/operations.md explains.
  local panel(type, title, description, list, unit, width, height, limits, runbooks, format='time_series') = {
    type: type,
    title: title,
    description: description,
    datasource: datasource,
    fieldConfig: {
      defaults: { unit: unit, thresholds: limits },
      overrides: [],
    },
    gridPos: { w: width, h: height },
    links: [
      link('What to do: ' + alert, '${docs}/operations.md#' + std.asciiLower(alert), alert + ' in docs/operations.md')
      for alert in runbooks
    ],
    targets: targets(list, format),
  },

  // One number, or one for each series.
  stat(title, description, targets, unit='short', width=4, height=4, limits=self.plain, decimals=0, runbooks=[], calc='lastNotNull', noValue=null)::
    panel('stat', title, description, targets, unit, width, height, limits, runbooks) + {
      fieldConfig+: { defaults+: {
        color: { mode: 'thresholds' },
        decimals: decimals,
        [if noValue == null then null else 'noValue']: noValue,
      } },
      options: {
        colorMode: 'value',
        graphMode: 'area',
        justifyMode: 'auto',
        orientation: 'auto',
        percentChangeColorMode: 'standard',
        reduceOptions: { calcs: [calc], fields: '', values: false },
        showPercentChange: false,
        textMode: if std.length(targets) > 1 || std.findSubstr('{{', targets[0].legend) != [] then 'value_and_name' else 'value',
        wideLayout: true,
      },
    },

  // Lines over time; stacked where the parts make up a whole.
  lines(title, description, targets, unit='short', width=12, height=8, limits=self.plain, stacked=false, runbooks=[], min=0, marked=false)::
    panel('timeseries', title, description, targets, unit, width, height, limits, runbooks) + {
      fieldConfig+: { defaults+: {
        color: { mode: 'palette-classic' },
        min: min,
        custom: {
          axisPlacement: 'auto',
          drawStyle: 'line',
          fillOpacity: if stacked then 30 else 8,
          lineInterpolation: 'linear',
          lineWidth: 1,
          showPoints: 'never',
          spanNulls: false,
          stacking: { group: 'A', mode: if stacked then 'normal' else 'none' },
          thresholdsStyle: { mode: if marked then 'line' else 'off' },
        },
      } },
      options: {
        legend: { calcs: ['lastNotNull', 'max'], displayMode: 'table', placement: 'bottom', showLegend: true, sortBy: 'Last *', sortDesc: true },
        tooltip: { mode: 'multi', sort: 'desc' },
      },
    },

  // Counts of the intervals: what happens seldom is lost in a rate.
  bars(title, description, targets, unit='short', width=12, height=8, runbooks=[], stacked=true)::
    self.lines(title, description, targets, unit, width, height, stacked=stacked, runbooks=runbooks) + {
      fieldConfig+: { defaults+: {
        decimals: 0,
        custom+: { drawStyle: 'bars', fillOpacity: 70, lineWidth: 0 },
      } },
      options+: { legend+: { calcs: ['sum', 'max'], sortBy: 'Total' } },
    },

  // In which of few states a thing was when: [{value, text, color}].
  states(title, description, targets, mappings, width=12, height=8, runbooks=[])::
    panel('state-timeline', title, description, targets, 'none', width, height, self.plain, runbooks) + {
      fieldConfig+: { defaults+: {
        color: { mode: 'thresholds' },
        custom: { fillOpacity: 70, lineWidth: 0 },
        mappings: [{
          type: 'value',
          options: {
            [std.toString(mapping.value)]: { color: mapping.color, text: mapping.text }
            for mapping in mappings
          },
        }],
      } },
      options: {
        alignValue: 'left',
        legend: { calcs: [], displayMode: 'list', placement: 'bottom', showLegend: false },
        mergeValues: true,
        rowHeight: 0.8,
        showValue: 'auto',
        tooltip: { mode: 'single', sort: 'none' },
      },
    },

  // A row for each combination of `by`, a column for each target: [{expr, name, unit}].
  table(title, description, by, values, width=24, height=8, sort=null, runbooks=[])::
    panel('table', title, description, [self.target(value.expr, value.name, instant=true) for value in values], 'short', width, height, self.plain, runbooks, format='table') + {
      local letter(index) = std.char(std.codepoint('A') + index),
      local column(index) = if std.length(values) == 1 then 'Value' else 'Value #' + letter(index),
      fieldConfig+: {
        defaults+: { custom: { align: 'auto', cellOptions: { type: 'auto' }, filterable: true, inspect: false } },
        overrides: [
          {
            matcher: { id: 'byName', options: values[index].name },
            properties: [{ id: 'unit', value: values[index].unit }, { id: 'decimals', value: 0 }],
          }
          for index in std.range(0, std.length(values) - 1)
        ],
      },
      options: {
        cellHeight: 'sm',
        frameIndex: 0,
        showHeader: true,
        sortBy: if sort == null then [] else [{ desc: true, displayName: sort }],
      },
      transformations: (if std.length(values) > 1 then [{ id: 'merge', options: {} }] else []) + [
        {
          id: 'filterFieldsByName',
          options: { include: { names: by + [column(index) for index in std.range(0, std.length(values) - 1)] } },
        },
        {
          id: 'organize',
          options: {
            excludeByName: {},
            indexByName: {
              [(by + [column(index) for index in std.range(0, std.length(values) - 1)])[place]]: place
              for place in std.range(0, std.length(by) + std.length(values) - 1)
            },
            renameByName: { [column(index)]: values[index].name for index in std.range(0, std.length(values) - 1) },
          },
        },
      ],
    },

  row(title, panels):: { title: title, panels: panels },

  // Variables. All of a variable with `all` matches also what lacks the label.
  variable:: {
    datasource: {
      name: 'datasource',
      label: 'Data source',
      type: 'datasource',
      query: 'prometheus',
      current: { text: 'Prometheus', value: 'prometheus' },
      hide: 0,
      includeAll: false,
      multi: false,
      options: [],
      refresh: 1,
      regex: '',
      skipUrlSync: false,
    },
    local choice(name, label, description) = {
      name: name,
      label: label,
      description: description,
      allValue: '.*',
      current: { text: ['All'], value: ['$__all'] },
      hide: 0,
      includeAll: true,
      multi: true,
      options: [],
      skipUrlSync: false,
    },
    // The values that a label of a series has.
    label(name, label, description, series, all='.*'):: choice(name, label, description) + {
      local query = 'label_values(%s, %s)' % [series, name],
      type: 'query',
      datasource: datasource,
      allValue: all,
      query: { qryType: 1, query: query, refId: 'PrometheusVariableQueryEditor-VariableQuery' },
      refresh: 2,
      regex: '',
      sort: 1,
    },
    // Values that are known beforehand.
    fixed(name, label, description, values):: choice(name, label, description) + {
      type: 'custom',
      query: std.join(',', values),
    },
    namespace: self.label('namespace', 'Namespace', 'On Kubernetes: whose Tidewatch. Elsewhere there is nothing to choose.', 'tidewatch_build_info'),
    job: self.label('job', 'Job', 'The scrape job, which is the service.', 'process_start_time_seconds{job=~"tidewatch.*", namespace=~"$namespace"}', all='tidewatch.*'),
    instance: self.label('instance', 'Instance', 'The process.', 'process_start_time_seconds{job=~"$job", namespace=~"$namespace"}'),
    docs: {
      name: 'docs',
      label: 'Documentation',
      description: 'Where docs/ of Tidewatch can be read: the links "What to do" lead there.',
      type: 'textbox',
      query: config.docs,
      current: { text: config.docs, value: config.docs },
      hide: 2,
      options: [],
      skipUrlSync: false,
    },
  },

  // Puts panels one after the other, and begins a new line where one does not fit.
  local place(panels, top) =
    local step(at, panel) =
      local wraps = at.x + panel.gridPos.w > columns;
      local x = if wraps then 0 else at.x;
      local y = if wraps then at.y + at.height else at.y;
      {
        x: x + panel.gridPos.w,
        y: y,
        height: if wraps then panel.gridPos.h else std.max(at.height, panel.gridPos.h),
        placed: at.placed + [panel { gridPos+: { x: x, y: y } }],
      };
    local end = std.foldl(step, panels, { x: 0, y: top, height: 0, placed: [] });
    { panels: end.placed, bottom: end.y + end.height },

  local layout(rows) =
    local step(at, row) =
      local placed = place(row.panels, at.bottom + 1);
      {
        bottom: placed.bottom,
        panels: at.panels + [{
          type: 'row',
          title: row.title,
          collapsed: false,
          gridPos: { x: 0, y: at.bottom, w: columns, h: 1 },
          panels: [],
        }] + placed.panels,
      };
    std.mapWithIndex(
      function(index, panel) panel { id: index + 1 },
      std.foldl(step, rows, { bottom: 0, panels: [] }).panels,
    ),

  // A whole dashboard. Its uid is in links and bookmarks: it stays.
  dashboard(uid, title, description, variables, rows):: {
    uid: 'tidewatch-' + uid,
    title: 'Tidewatch / ' + title,
    description: description,
    tags: ['tidewatch'],
    schemaVersion: 39,
    version: 1,
    editable: false,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    timepicker: {},
    timezone: 'browser',
    weekStart: '',
    fiscalYearStartMonth: 0,
    annotations: { list: [
      {
        builtIn: 1,
        datasource: { type: 'grafana', uid: '-- Grafana --' },
        enable: true,
        hide: true,
        iconColor: 'rgba(0, 211, 255, 1)',
        name: 'Annotations & Alerts',
        type: 'dashboard',
      },
      // The value is the moment of the start, so each start is marked once and where it was.
      {
        datasource: datasource,
        enable: true,
        expr: 'process_start_time_seconds{job=~"tidewatch.*", namespace=~"$namespace"} * 1000',
        hide: false,
        iconColor: 'orange',
        name: 'Process starts',
        step: '60s',
        tagKeys: 'job,instance',
        textFormat: '{{instance}} of {{job}} started',
        titleFormat: 'Start',
        useValueForTime: 'on',
      },
    ] },
    links: [
      {
        asDropdown: false,
        icon: 'external link',
        includeVars: true,
        keepTime: true,
        tags: ['tidewatch'],
        targetBlank: false,
        title: 'Tidewatch',
        tooltip: 'The other dashboards of Tidewatch',
        type: 'dashboards',
        url: '',
      },
      link('What each alert means', '${docs}/operations.md#the-alerts', 'docs/operations.md'),
    ],
    templating: { list: [self_.variable.datasource, self_.variable.namespace] + variables + [self_.variable.docs] },
    panels: layout(rows),
  },
  local self_ = self,
}
