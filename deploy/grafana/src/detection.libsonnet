// Which rules match and alert, on what, and how fast; what could not be counted.
local t = import 'tidewatch.libsonnet';

local alerts(status) = 'tidewatch_detector_alerts_total{%s, rule=~"$rule", severity=~"$severity", tenant=~"$tenant"%s}' % [t.attacks, if status == '' then '' else ', status="%s"' % status];
local rules = '%s, rule=~"$rule"' % t.attacks;
local rate(by, series) = 'sum by (%s) (rate(%s[$__rate_interval]))' % [by, series];

t.dashboard(
  'detection',
  'Detection',
  'What the rules find: matches and alerts by rule, severity and tenant; facts and what became of them; how long a commit, and so every alert, takes.',
  [
    t.variable.fixed('severity', 'Severity', 'Of the alert. Matches have none: they are filtered by rule.', ['critical', 'high', 'medium', 'low']),
    t.variable.label('tenant', 'Tenant', 'Whose events led to the alert. Matches are counted by rule alone.', 'tidewatch_detector_alerts_total{%s}' % t.attacks),
    t.variable.label('rule', 'Rule', 'The rule, by its id.', 'tidewatch_detector_rule_matches_total{%s}' % t.attacks),
  ],
  [
    t.row('Alerts', [
      t.stat(
        'Opened',
        'Episodes that opened in the range shown, by severity.',
        [t.target('sum by (severity) %s' % t.grown(alerts('opened'), '$__range'), '{{severity}}')],
        width=8,
        noValue='none',
      ),
      t.stat(
        'Open now, about',
        'Episodes that opened less those that closed in the range shown. Below zero: more closed than opened.',
        [t.target('sum(%s) - (sum(%s) or vector(0))' % [t.grown(alerts('opened'), '$__range'), t.grown(alerts('closed'), '$__range')], 'open')],
        noValue='none',
      ),
      t.stat(
        'Events evaluated',
        'Events that every rule was asked about. Bad: zero while events come in, for then attacks are not seen.',
        [t.target('sum(rate(tidewatch_detector_events_evaluated_total{%s}[$__rate_interval]))' % t.filter, 'events')],
        unit='eps',
        decimals=1,
        runbooks=['TidewatchNothingEvaluated'],
      ),
      t.stat(
        'Rules in force',
        'How many rules this detector evaluates. Detectors with different rule files give wrong results.',
        [t.target('count(count by (rule) (tidewatch_detector_rule_matches_total{%s}))' % t.attacks, 'rules')],
        limits=t.low(1),
      ),
      t.stat(
        'Facts not counted',
        'Facts in the range shown that were late, of an unknown rule, or forgotten for want of room: rules may have missed what they stood for. Bad: any.',
        [t.target('sum(increase(tidewatch_detector_fact_entries_total{%s, outcome=~"late|unknown_rule|forgotten"}[$__range]))' % t.filter, 'facts')],
        limits=t.bad(1),
        runbooks=['TidewatchFactsNotCounted'],
      ),
      t.bars(
        'Alerts opened by severity',
        'Episodes that opened. A burst is an attack, or a rule that is too wide.',
        [t.target('sum by (severity) %s' % t.grown(alerts('opened'), '$__rate_interval'), '{{severity}}')],
      ),
      t.bars(
        'Alerts opened by rule',
        'Episodes that opened, by rule. One rule that makes up most of it wants tuning.',
        [t.target('sum by (rule) %s' % t.grown(alerts('opened'), '$__rate_interval'), '{{rule}}')],
      ),
      t.bars(
        'Alert records by status',
        'Records of alerts: opened, updated while the episode goes on, closed when it is over. No closed for long while episodes are open: a watermark stands still.',
        [t.target('sum by (status) %s' % t.grown(alerts(''), '$__rate_interval'), '{{status}}')],
        runbooks=['TidewatchWatermarkStalled'],
      ),
      t.bars(
        'Alerts opened by tenant',
        'Episodes that opened, by whose events they are of.',
        [t.target('sum by (tenant) %s' % t.grown(alerts('opened'), '$__rate_interval'), '{{tenant}}')],
      ),
    ]),
    t.row('Rules', [
      t.table(
        'Rules in the range shown',
        'What each rule did. Many matches and no alert: a threshold that is too high, or noise. Missing keys: the rule groups by a field that its events lack, so they cannot be counted. Matches none for long: see whether its producer still sends.',
        ['rule'],
        [
          { expr: 'sum by (rule) (increase(tidewatch_detector_rule_matches_total{%s}[$__range]))' % rules, name: 'matches', unit: 'short' },
          { expr: 'sum by (rule) %s' % t.grown(alerts('opened'), '$__range'), name: 'opened', unit: 'short' },
          { expr: 'sum by (rule) %s' % t.grown(alerts('updated'), '$__range'), name: 'updated', unit: 'short' },
          { expr: 'sum by (rule) %s' % t.grown(alerts('closed'), '$__range'), name: 'closed', unit: 'short' },
          { expr: 'sum by (rule) (increase(tidewatch_detector_rule_missing_key_total{%s}[$__range]))' % rules, name: 'missing keys', unit: 'short' },
        ],
        height=9,
        sort='opened',
        runbooks=['TidewatchRuleSilent'],
      ),
      t.lines(
        'Matches by rule',
        'Events that passed the filter of a rule. A rule that fell to zero and used to match has lost its producer, or its field.',
        [t.target(rate('rule', 'tidewatch_detector_rule_matches_total{%s}' % rules), '{{rule}}')],
        unit='eps',
        runbooks=['TidewatchRuleSilent'],
      ),
      t.bars(
        'Matches without a key',
        'Events that passed the filter of a rule and lack a field it groups by: they count nowhere. Correct the producer, or the rule.',
        [t.target('sum by (rule) (increase(tidewatch_detector_rule_missing_key_total{%s}[$__rate_interval]))' % rules, '{{rule}}')],
      ),
    ]),
    t.row('Facts and time', [
      t.lines(
        'Facts applied',
        'What stateful rules count: applied, or known already (a repetition, which counts once). no_value: not taken, because the rule computes with a field that the event lacks or that is no number there.',
        [t.target(rate('outcome', 'tidewatch_detector_fact_entries_total{%s, outcome=~"applied|duplicate|no_value"}' % t.filter), '{{outcome}}')],
        unit='eps',
        width=8,
      ),
      t.bars(
        'Facts not counted, by outcome',
        'late: older than the lateness of their rule, and kept in late-facts. forgotten: a limit of events for one key acted. unknown_rule: detectors run with different rule files. Bad: any.',
        [t.target('sum by (outcome) (increase(tidewatch_detector_fact_entries_total{%s, outcome=~"late|unknown_rule|forgotten"}[$__rate_interval]))' % t.filter, '{{outcome}}')],
        width=8,
        runbooks=['TidewatchFactsNotCounted'],
      ),
      t.bars(
        'Records that cannot be read',
        'Records in our own topics that the detector cannot read: another version or another program wrote them. Bad: any.',
        [t.target('sum(increase(tidewatch_detector_dead_letters_total{%s}[$__rate_interval]))' % t.filter, 'dead letters')],
        width=8,
        runbooks=['TidewatchRecordsUnreadable'],
      ),
      t.lines(
        'Records read by kind',
        'events are evaluated; heartbeats only move watermarks; derived events are not matched again.',
        [
          t.target('sum(rate(tidewatch_detector_events_evaluated_total{%s}[$__rate_interval]))' % t.filter, 'events'),
          t.target('sum(rate(tidewatch_detector_heartbeats_total{%s}[$__rate_interval]))' % t.filter, 'heartbeats'),
          t.target('sum(rate(tidewatch_detector_derived_events_total{%s}[$__rate_interval]))' % t.filter, 'derived'),
        ],
        unit='rps',
      ),
      t.lines(
        'Watermarks behind the clock',
        'How far each partition of events.* is behind, and the rules of each partition of facts. About ten seconds is normal. Bad: over two minutes; rules wait for the slowest source.',
        [
          t.target('time() - max by (topic, partition) (tidewatch_detector_source_watermark_seconds{%s})' % t.filter, '{{topic}}/{{partition}}'),
          t.target('time() - max by (partition) (tidewatch_detector_watermark_seconds{%s})' % t.filter, 'rules of facts/{{partition}}'),
        ],
        unit='s',
        limits=t.warn(60, 120),
        marked=true,
        runbooks=['TidewatchSourceStalled', 'TidewatchWatermarkStalled'],
      ),
    ]),
    t.row('Speed', [
      t.lines(
        'Time to commit',
        'How long a transaction takes to commit, by stage. Every alert waits for one. Bad: one in a hundred over a second.',
        [
          t.target(t.quantile(0.5, 'tidewatch_detector_commit_seconds_bucket{%s}' % t.filter, 'stage'), '{{stage}}: half of them'),
          t.target(t.quantile(0.99, 'tidewatch_detector_commit_seconds_bucket{%s}' % t.filter, 'stage'), '{{stage}}: 99 of 100'),
        ],
        unit='s',
        limits=t.warn(0.5, 1),
        runbooks=['TidewatchCommitsSlow'],
      ),
      t.lines(
        'Records committed by stage',
        'Records evaluated and committed. match reads events, correlate reads facts and ticks.',
        [t.target(rate('stage', 'tidewatch_detector_records_committed_total{%s}' % t.filter), '{{stage}}')],
        unit='rps',
      ),
    ]),
  ],
)
