// Whether everything is kept, in time and locked.
local t = import 'tidewatch.libsonnet';

local tier = '%s, tier=~"$tier"' % t.filter;

t.dashboard(
  'archive',
  'Archive',
  'Whether every record is kept: segments written and locked, how far behind the archive is by tier, and what stopped.',
  [
    t.variable.label('tier', 'Tier', 'The class that says how long a record is kept.', 'tidewatch_archive_segments_total{namespace=~"$namespace"}'),
  ],
  [
    t.row('Is everything kept?', [
      t.stat(
        'Partitions stopped',
        'Partitions that are not archived any more until a person has looked: the store contradicts the log, or an object is not locked as asked. Bad: any.',
        [t.target('sum(max by (topic, partition) (tidewatch_archive_stopped{%s}))' % t.filter, 'stopped')],
        limits=t.bad(1),
        runbooks=['TidewatchArchiveStopped'],
      ),
      t.stat(
        'Contradictions',
        'Writes in the range shown that met another object (conflict) or a lock that is missing or weaker (lock_mismatch). Bad: any.',
        [t.target('sum(increase(tidewatch_archive_puts_total{%s, outcome=~"conflict|lock_mismatch"}[$__range]))' % t.filter, 'contradictions')],
        limits=t.bad(1),
        runbooks=['TidewatchArchiveConflict', 'TidewatchArchiveLockMismatch'],
      ),
      t.stat(
        'Oldest record not archived',
        'Its age. Segments are written at the latest after archiver.segment.age_max (15 minutes). Bad: over an hour.',
        [t.target('max(tidewatch_archive_lag_seconds{%s})' % tier, 'age')],
        unit='s',
        limits=t.warn(1800, 3600),
        runbooks=['TidewatchArchiveBehind'],
      ),
      t.stat(
        'Segments',
        'Segments archived and committed in the range shown.',
        [t.target('sum(increase(tidewatch_archive_segments_total{%s}[$__range]))' % tier, 'segments')],
      ),
      t.stat(
        'Archived',
        'Bytes of the objects that were written in the range shown, compressed. Zero for an hour while events come in is bad.',
        [t.target('sum(increase(tidewatch_archive_segment_bytes_total{%s}[$__range]))' % tier, 'bytes')],
        unit='bytes',
        decimals=1,
      ),
      t.stat(
        'Archiver behind',
        'Records in the archived topics that are not polled yet. Growing: the store is slow, or one more process is needed.',
        [t.target('sum(%s)' % t.of('archiver', 'tidewatch_kafka_lag_records{%s}' % t.filter), 'records')],
        limits=t.warn(100000, 1000000),
        runbooks=['TidewatchLagGrowing'],
      ),
      t.lines(
        'Archive behind, by tier',
        'Age of the oldest record that is read and not archived. It rises to archiver.segment.age_max and falls when the segment is written: a saw. Bad: four times that age, and over an hour.',
        [
          t.target('max by (tier) (tidewatch_archive_lag_seconds{%s})' % tier, '{{tier}}'),
          t.target('max(tidewatch_archive_segment_age_max_seconds{%s})' % t.filter, 'written at the latest'),
        ],
        unit='s',
        width=8,
        limits=t.warn(1800, 3600),
        runbooks=['TidewatchArchiveBehind'],
      ),
      t.lines(
        'Way to loss',
        'How much of the time that its topic keeps a record the oldest one has waited for the archive, by tier. At 100 % records are lost. Bad: a quarter.',
        [t.target('max by (tier) (tidewatch_archive_lag_seconds{%s}) / min by (tier) (tidewatch_archive_topic_retention_seconds{%s})' % [tier, tier], '{{tier}}')],
        unit='percentunit',
        width=8,
        limits=t.warn(0.1, 0.25),
        marked=true,
        runbooks=['TidewatchArchiveAtRisk'],
      ),
      t.states(
        'Stopped partitions',
        'Which partitions are archived, and which were stopped until a person has looked. They are not skipped: the topic keeps their records.',
        [t.target('max by (topic, partition) (tidewatch_archive_stopped{%s})' % t.filter, '{{topic}}/{{partition}}')],
        [{ value: 0, text: 'archived', color: 'green' }, { value: 1, text: 'stopped', color: 'red' }],
        width=8,
        runbooks=['TidewatchArchiveStopped'],
      ),
    ]),
    t.row('What is kept', [
      t.lines(
        'Records by tier',
        'Records archived and committed, without heartbeats. Compare with what comes in: over a day both are equal.',
        [t.target('sum by (tier) (rate(tidewatch_archive_records_total{%s, kind="record"}[$__rate_interval]))' % tier, '{{tier}}')],
        unit='rps',
        width=8,
        stacked=true,
      ),
      t.lines(
        'Bytes by tier',
        'Bytes of archived objects, compressed. Times the retention of the tier it is what the bucket holds, and costs.',
        [t.target('sum by (tier) (rate(tidewatch_archive_segment_bytes_total{%s}[$__rate_interval]))' % tier, '{{tier}}')],
        unit='Bps',
        width=8,
        stacked=true,
      ),
      t.bars(
        'Segments by tier',
        'Segments archived and committed. Each is an object and a manifest.',
        [t.target('sum by (tier) (increase(tidewatch_archive_segments_total{%s}[$__rate_interval]))' % tier, '{{tier}}')],
        width=8,
      ),
      t.lines(
        'Size of a segment',
        'Mean bytes of an object, over the range shown. Small: segments are written for their age, not their size; that costs requests, not safety.',
        [t.target('sum by (tier) (increase(tidewatch_archive_segment_bytes_total{%s}[$__range])) / sum by (tier) (increase(tidewatch_archive_segments_total{%s}[$__range]))' % [tier, tier], '{{tier}}')],
        unit='bytes',
        width=8,
      ),
      t.lines(
        'Records of a segment',
        'Mean records of an object, over the range shown, heartbeats included.',
        [t.target('sum by (tier) (increase(tidewatch_archive_records_total{%s}[$__range])) / sum by (tier) (increase(tidewatch_archive_segments_total{%s}[$__range]))' % [tier, tier], '{{tier}}')],
        width=8,
      ),
      t.lines(
        'Heartbeats archived',
        'Records that carry no event, by tier; they cost next to nothing and prove that a partition was quiet, not lost.',
        [t.target('sum by (tier) (rate(tidewatch_archive_records_total{%s, kind="heartbeat"}[$__rate_interval]))' % tier, '{{tier}}')],
        unit='rps',
        width=8,
      ),
    ]),
    t.row('The store', [
      t.bars(
        'Writes by what became of them',
        'created; adopted: it was there already, from before a crash; retry: the store did not take it now. Bad: conflict, lock_mismatch, fatal; retry for long.',
        [t.target('sum by (outcome) (increase(tidewatch_archive_puts_total{%s}[$__rate_interval]))' % t.filter, '{{outcome}}')],
        width=8,
        runbooks=['TidewatchArchiveConflict', 'TidewatchArchiveLockMismatch', 'TidewatchArchiveBehind'],
      ),
      t.lines(
        'Time to write',
        'From the first byte to the lock that was read back, for one segment.',
        [
          t.target(t.quantile(0.5, 'tidewatch_archive_write_seconds_bucket{%s}' % t.filter), 'half of them'),
          t.target(t.quantile(0.99, 'tidewatch_archive_write_seconds_bucket{%s}' % t.filter), '99 of 100'),
        ],
        unit='s',
        width=8,
        limits=t.warn(10, 40),
      ),
      t.lines(
        'Memory of segments',
        'Bytes of the segments that are being gathered, by process. At archiver.memory_max (256 MiB) the largest are written before their time.',
        [t.target('sum by (instance) (tidewatch_archive_memory_bytes{%s})' % t.filter, '{{instance}}')],
        unit='bytes',
        width=8,
      ),
    ]),
  ],
)
