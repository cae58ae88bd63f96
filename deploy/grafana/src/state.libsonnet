// What the detectors hold in memory, how they recover, and what the processes use.
local t = import 'tidewatch.libsonnet';

t.dashboard(
  'state',
  'State and recovery',
  'What the detectors hold by partition, whether partitions run or are restored, what was aborted, and what every process uses.',
  [t.variable.job, t.variable.instance],
  [
    t.row('State', [
      t.stat(
        'Partitions running',
        'Partitions of each stage that are evaluated. It equals the partitions of the topics when all is well: events.* together for match, facts for correlate.',
        [t.target('sum by (stage) (tidewatch_detector_partitions{%s, state="running"})' % t.process, '{{stage}}')],
        width=6,
        limits=t.low(1),
      ),
      t.stat(
        'Partitions restored now',
        'Partitions whose state is being read back from the changelog; their facts wait meanwhile. Above zero after a start or a rebalance; for long after the loss of a disk.',
        [t.target('sum by (stage) (tidewatch_detector_partitions{%s, state="restoring"})' % t.process, '{{stage}}')],
        width=6,
        limits=t.warn(1, 1000000),
        runbooks=['TidewatchNotReady'],
      ),
      t.stat(
        'Keys held',
        'Keys of all rules in memory. It follows attackers and users, and falls when windows end.',
        [t.target('sum(tidewatch_detector_state_keys{%s})' % t.process, 'keys')],
        width=6,
      ),
      t.stat(
        'Fullest partition',
        'Bytes of keys and values in memory of the fullest partition, of what it may hold (detector.partition_memory_max). Beyond, keys are read from disk, which is slower. Bad: over 80 % for long.',
        [t.target('max(tidewatch_detector_state_bytes{%s} / on (namespace, job, instance) group_left () tidewatch_detector_state_limit_bytes{%s})' % [t.process, t.process], 'of the limit')],
        unit='percentunit',
        width=6,
        decimals=0,
        limits=t.warn(0.6, 0.8),
        runbooks=['TidewatchStateHigh'],
      ),
      t.lines(
        'Keys by partition',
        'Keys held in memory, by partition of facts. One partition far above the others: one key group has endless values, or one source sends most.',
        [t.target('sum by (partition) (tidewatch_detector_state_keys{%s})' % t.process, 'facts/{{partition}}')],
      ),
      t.lines(
        'Bytes by partition',
        'Bytes of state in memory, by partition of facts, and what one may hold (detector.partition_memory_max). Bad: near the limit for long.',
        [
          t.target('sum by (partition) (tidewatch_detector_state_bytes{%s})' % t.process, 'facts/{{partition}}'),
          t.target('min(tidewatch_detector_state_limit_bytes{%s})' % t.process, 'limit of each'),
        ],
        unit='bytes',
        runbooks=['TidewatchStateHigh'],
      ),
    ]),
    t.row('Recovery', [
      t.lines(
        'Partitions by stage and state',
        'running, or restoring. A step down and up again is a rebalance: a process came, went or was killed.',
        [t.target('sum by (stage, state) (tidewatch_detector_partitions{%s})' % t.process, '{{stage}} {{state}}')],
      ),
      t.lines(
        'Changelog records replayed',
        'Records read back from detector.changelog. A short burst after a start: what the image on disk lacked. Millions: the image was lost.',
        [t.target('sum by (instance) (rate(tidewatch_detector_restored_changes_total{%s}[$__rate_interval]))' % t.process, '{{instance}}')],
        unit='rps',
      ),
      t.bars(
        'Transactions aborted',
        'Work that is thrown away and done again from what is committed; results are late, not wrong. A few at a rebalance are normal. Bad: again and again.',
        [
          t.target('sum by (stage) (increase(tidewatch_detector_aborts_total{%s}[$__rate_interval]))' % t.process, 'detector {{stage}}'),
          t.target('sum(increase(tidewatch_ingest_aborts_total{%s}[$__rate_interval]))' % t.process, 'topic door'),
        ],
        runbooks=['TidewatchCommitsFailing'],
      ),
      t.lines(
        'Commits by stage',
        'Transactions that became visible. Each carries outputs, state changes and positions together.',
        [t.target('sum by (stage) (rate(tidewatch_detector_commit_seconds_count{%s}[$__rate_interval]))' % t.process, '{{stage}}')],
        unit='ops',
      ),
    ]),
    t.row('Processes', [
      t.stat(
        'Restarts',
        'How often processes were started anew in the range shown. Bad: more than two in a quarter of an hour; the exit code says why.',
        [t.target('sum(changes(process_start_time_seconds{%s}[$__range]))' % t.process, 'restarts')],
        width=4,
        height=8,
        limits=t.warn(1, 3),
        runbooks=['TidewatchRestarting'],
      ),
      t.lines(
        'Running for',
        'Time since the start of each process. A saw is a process that ends again and again.',
        [t.target('time() - process_start_time_seconds{%s}' % t.process, '{{job}} {{instance}}')],
        unit='s',
        width=10,
        runbooks=['TidewatchRestarting'],
      ),
      t.lines(
        'CPU',
        'Cores that each process uses. Near the number it may use while lag grows: give the service more processes or workers.',
        [t.target('rate(process_cpu_seconds_total{%s}[$__rate_interval])' % t.process, '{{job}} {{instance}}')],
        unit='none',
        width=10,
      ),
      t.lines(
        'Memory',
        'Resident memory of each process. Compare with its limit: the kernel ends a process that passes it.',
        [t.target('process_resident_memory_bytes{%s}' % t.process, '{{job}} {{instance}}')],
        unit='bytes',
        width=12,
      ),
      t.lines(
        'Address space',
        'Virtual memory of each process. It may be large; only its growth without end is a sign of a leak.',
        [t.target('process_virtual_memory_bytes{%s}' % t.process, '{{job}} {{instance}}')],
        unit='bytes',
        width=12,
      ),
      t.lines(
        'Open files',
        'Share of the files that each process may have open. Bad: near all, for then connections and the image fail.',
        [t.target('process_open_fds{%s} / process_max_fds{%s}' % [t.process, t.process], '{{job}} {{instance}}')],
        unit='percentunit',
        width=12,
        limits=t.warn(0.7, 0.9),
        marked=true,
      ),
      t.lines(
        'Threads',
        'Threads of each process. They follow workers and clients, and are constant after the start.',
        [t.target('process_threads{%s}' % t.process, '{{job}} {{instance}}')],
        unit='none',
        width=12,
      ),
    ]),
  ],
)
