// What the Kafka client of each service sees.
local t = import 'tidewatch.libsonnet';

local partition = '%s, topic=~"$topic"' % t.process;

t.dashboard(
  'kafka',
  'Kafka client',
  'What the Kafka clients of the services see: lag and position by partition, errors, commits and transactions that failed. The brokers have dashboards of their own.',
  [
    t.variable.job,
    t.variable.instance,
    t.variable.label('topic', 'Topic', 'A topic that a service reads, without the prefix.', 'tidewatch_kafka_position{namespace=~"$namespace", job=~"$job"}'),
  ],
  [
    t.row('Reading', [
      t.stat(
        'Lag',
        'Committed records that are not polled yet, of all partitions chosen.',
        [t.target('sum(tidewatch_kafka_lag_records{%s})' % partition, 'records')],
        limits=t.warn(1000, 10000),
        runbooks=['TidewatchLagGrowing'],
      ),
      t.stat(
        'Worst partition',
        'The lag of the partition that is furthest behind. A process with a partition over 10,000 is not ready.',
        [t.target('max(tidewatch_kafka_lag_records{%s})' % partition, 'records')],
        limits=t.warn(1000, 10000),
        runbooks=['TidewatchLagGrowing', 'TidewatchNotReady'],
      ),
      t.stat(
        'Partitions read',
        'Partitions that the processes chosen read now. Fewer than there are: a group has no member for some of them.',
        [t.target('count(tidewatch_kafka_position{%s})' % partition, 'partitions')],
        limits=t.low(1),
      ),
      t.stat(
        'Failed transactions',
        'Transactions of the range shown that were not committed. A few at a rebalance are normal.',
        [t.target('sum(increase(tidewatch_kafka_failed_transactions_total{%s}[$__range]))' % t.process, 'failed')],
        limits=t.warn(1, 20),
        runbooks=['TidewatchCommitsFailing'],
      ),
      t.stat(
        'Client errors',
        'Errors that the client reported in the range shown. Connections that brokers close are among them; what matters is whether work goes on.',
        [t.target('sum(%s) or vector(0)' % t.grown('tidewatch_kafka_client_errors_total{%s}' % t.process, '$__range'), 'errors')],
        limits=t.warn(1, 100),
      ),
      t.stat(
        'Topic door partitions',
        'Partitions of the topics of ingest.topics that the topic doors own. Bad: zero while the topic door has topics.',
        [t.target('sum(tidewatch_ingest_partitions{%s})' % t.process, 'partitions')],
        limits=t.low(1),
      ),
      t.lines(
        'Lag by topic and partition',
        'Committed records that are not polled yet. One partition alone: a hot key or a slow process. All of them: too few processes, or commits that fail.',
        [t.target('sum by (job, topic, partition) (tidewatch_kafka_lag_records{%s})' % partition, '{{job}} {{topic}}/{{partition}}')],
        limits=t.warn(1000, 10000),
        runbooks=['TidewatchLagGrowing'],
      ),
      t.lines(
        'Records read by topic',
        'How fast positions move; after an abort a position goes back, and the records are read again. Bad: zero while there is lag.',
        [t.target('sum by (job, topic) (clamp_min(deriv(tidewatch_kafka_position{%s}[$__rate_interval]), 0))' % partition, '{{job}} {{topic}}')],
        unit='rps',
      ),
      t.table(
        'Partitions',
        'Where each reader is. Two instances with one partition of one topic and job: a rebalance is under way.',
        ['job', 'instance', 'topic', 'partition'],
        [
          { expr: 'max by (job, instance, topic, partition) (tidewatch_kafka_position{%s})' % partition, name: 'position', unit: 'none' },
          { expr: 'max by (job, instance, topic, partition) (tidewatch_kafka_lag_records{%s})' % partition, name: 'lag', unit: 'none' },
        ],
        height=9,
        sort='lag',
      ),
    ]),
    t.row('Transactions', [
      t.bars(
        'Failed transactions by kind',
        'aborted: a rebalance or a broker. fenced: another process took over; two have one kafka.instance if it goes on. unavailable: brokers do not answer. overloaded: too slow. misconfigured, refused: look at the log. Bad: more than three in ten minutes.',
        [t.target('sum by (job, kind) (increase(tidewatch_kafka_failed_transactions_total{%s}[$__rate_interval]))' % t.process, '{{job}} {{kind}}')],
        runbooks=['TidewatchCommitsFailing'],
      ),
      t.bars(
        'Client errors by code',
        'Errors of the client, by its code. Zero is good. BrokerTransportFailure and AllBrokersDown: the network or the brokers; Authentication: credentials.',
        [t.target('sum by (job, code) %s' % t.grown('tidewatch_kafka_client_errors_total{%s}' % t.process, '$__rate_interval'), '{{job}} {{code}}')],
        runbooks=['TidewatchCommitsFailing'],
      ),
      t.lines(
        'Commits',
        'Transactions that became visible, by who commits: the topic door, the stages of the detector, the alerter. The archiver commits its position with each segment.',
        [
          t.target('sum(rate(tidewatch_ingest_commit_seconds_count{%s}[$__rate_interval]))' % t.process, 'topic door'),
          t.target('sum by (stage) (rate(tidewatch_detector_commit_seconds_count{%s}[$__rate_interval]))' % t.process, 'detector {{stage}}'),
          t.target('sum(rate(tidewatch_alerter_commits_total{%s, result="committed"}[$__rate_interval]))' % t.process, 'alerter'),
          t.target('sum(rate(tidewatch_archive_segments_total{%s}[$__rate_interval]))' % t.process, 'archiver'),
        ],
        unit='ops',
      ),
      t.lines(
        'Time to commit',
        "One commit in a hundred takes longer than this. Slow everywhere: the brokers' disks or network, or too few in-sync replicas.",
        [
          t.target(t.quantile(0.99, 'tidewatch_ingest_commit_seconds_bucket{%s}' % t.process), 'topic door'),
          t.target(t.quantile(0.99, 'tidewatch_detector_commit_seconds_bucket{%s}' % t.process, 'stage'), 'detector {{stage}}'),
        ],
        unit='s',
        limits=t.warn(0.5, 1),
        runbooks=['TidewatchCommitsSlow'],
      ),
    ]),
  ],
)
