// Whether alerts reach people, how fast, and what waits.
local t = import 'tidewatch.libsonnet';

local route = '%s, channel=~"$channel", route=~"$route"' % t.filter;

t.dashboard(
  'delivery',
  'Delivery',
  'Whether alerts reach people: attempts and deliveries by route, how long they take, what waits, and what was given up.',
  [
    t.variable.label('channel', 'Channel', 'How people are told: slack, pagerduty, webhook, log.', 'tidewatch_alert_deliveries_total{namespace=~"$namespace"}'),
    t.variable.label('route', 'Route', 'A channel with a destination, by the name in alerter.routes.', 'tidewatch_alert_deliveries_total{channel=~"$channel", namespace=~"$namespace"}'),
  ],
  [
    t.row('Do alerts arrive?', [
      t.stat(
        'Undelivered',
        'Alerts that a route gave up on in the range shown. They are in the topic undelivered, with the reason, and went to the fallback if there is one. Bad: any. Read them now.',
        [t.target('sum(increase(tidewatch_alert_deliveries_total{%s, result="undelivered"}[$__range]))' % route, 'undelivered')],
        limits=t.bad(1),
        runbooks=['TidewatchUndelivered'],
      ),
      t.stat(
        'Sent',
        'Deliveries that a destination took in the range shown.',
        [t.target('sum(increase(tidewatch_alert_deliveries_total{%s, result="sent"}[$__range]))' % route, 'sent')],
      ),
      t.stat(
        'In flight',
        'Deliveries that have not ended: being sent, or waiting for the next attempt. Bad: it rises and does not fall, for then a destination does not answer.',
        [t.target('sum(tidewatch_alert_deliveries_in_flight{%s})' % route, 'in flight')],
        limits=t.warn(100, 1000),
        runbooks=['TidewatchRouteFailing'],
      ),
      t.stat(
        'Alerts with open deliveries',
        'Alerts whose deliveries have not all ended. At alerter.open_records_max (10,000 for each partition) later ones of the partition wait for every route.',
        [t.target('sum(tidewatch_alerter_open_records{%s})' % t.filter, 'alerts')],
        limits=t.warn(1000, 8000),
        runbooks=['TidewatchAlerterFull'],
      ),
      t.stat(
        'Times full',
        'How often in the range shown a partition had to wait because too much was open. Bad: any.',
        [t.target('sum(increase(tidewatch_alerter_full_total{%s}[$__range]))' % t.filter, 'full')],
        limits=t.bad(1),
        runbooks=['TidewatchAlerterFull'],
      ),
      t.stat(
        'Alerter behind',
        'Records of alerts that are not polled yet. Above zero for long: the alerter is down, full or too slow.',
        [t.target('sum(%s)' % t.of('alerter', 'tidewatch_kafka_lag_records{%s}' % t.filter), 'records')],
        limits=t.warn(100, 10000),
        runbooks=['TidewatchLagGrowing'],
      ),
    ]),
    t.row('Deliveries', [
      t.bars(
        'Deliveries that ended, by route',
        'sent, undelivered, or folded: it had been delivered already, so a restart repeats none. Bad: undelivered.',
        [t.target('sum by (route, result) (increase(tidewatch_alert_deliveries_total{%s}[$__rate_interval]))' % route, '{{route}} {{result}}')],
        runbooks=['TidewatchUndelivered'],
      ),
      t.bars(
        'Attempts by result',
        'delivered; retriable, which is tried again with growing pauses; permanent, which is not. Bad: a route of which nothing is delivered.',
        [t.target('sum by (route, result) (increase(tidewatch_alert_delivery_attempts_total{%s}[$__rate_interval]))' % route, '{{route}} {{result}}')],
        runbooks=['TidewatchRouteFailing'],
      ),
      t.lines(
        'Attempts that succeed',
        'The share of attempts that a destination took, by route, over the range shown. Bad: below all for long; at zero nothing gets through.',
        [t.target('sum by (route) (increase(tidewatch_alert_delivery_attempts_total{%s, result="delivered"}[$__range])) / sum by (route) (increase(tidewatch_alert_delivery_attempts_total{%s}[$__range]))' % [route, route], '{{route}}')],
        unit='percentunit',
        limits=t.low(0.9),
        runbooks=['TidewatchRouteFailing'],
      ),
      t.lines(
        'Time to deliver',
        'From the append of an alert to its delivery, by route. Tells how late people hear of it, after the detector. Pauses between attempts count.',
        [
          t.target(t.quantile(0.5, 'tidewatch_alert_delivery_seconds_bucket{%s}' % route, 'route'), '{{route}}: half of them'),
          t.target(t.quantile(0.99, 'tidewatch_alert_delivery_seconds_bucket{%s}' % route, 'route'), '{{route}}: 99 of 100'),
        ],
        unit='s',
        limits=t.warn(10, 60),
      ),
      t.lines(
        'In flight by route',
        'Deliveries that have not ended. A route that only rises does not answer.',
        [t.target('sum by (route) (tidewatch_alert_deliveries_in_flight{%s})' % route, '{{route}}')],
        runbooks=['TidewatchRouteFailing'],
      ),
      t.lines(
        'Alerts with open deliveries, by process',
        'Alerts whose deliveries have not all ended. How steeply it rises tells how long a destination may still be away before alerter.open_records_max is reached.',
        [t.target('sum by (instance) (tidewatch_alerter_open_records{%s})' % t.filter, '{{instance}}')],
        runbooks=['TidewatchAlerterFull'],
      ),
    ]),
    t.row('Alerter', [
      t.bars(
        'Alert records by what became of them',
        'routed: at least one route takes it. unrouted: none does, by severity or status. dead_lettered: it cannot be read. Bad: dead_lettered; and unrouted for severities somebody should hear of.',
        [t.target('sum by (outcome) (increase(tidewatch_alerter_alerts_total{%s}[$__rate_interval]))' % t.filter, '{{outcome}}')],
        width=8,
        runbooks=['TidewatchRecordsUnreadable'],
      ),
      t.lines(
        'Ledger',
        'Deliveries that the ledger remembers, for alerter.remember (a day), so that a restart repeats none. It is memory: it grows with alerts times routes.',
        [t.target('sum by (instance) (tidewatch_alerter_ledger_entries{%s})' % t.filter, '{{instance}}')],
        width=8,
      ),
      t.lines(
        'Commits',
        'Transactions that write the ledger and the position. Bad: failed, again and again: deliveries may then be repeated after a restart.',
        [t.target('sum by (result) (rate(tidewatch_alerter_commits_total{%s}[$__rate_interval]))' % t.filter, '{{result}}')],
        unit='ops',
        width=8,
        runbooks=['TidewatchCommitsFailing'],
      ),
    ]),
  ],
)
