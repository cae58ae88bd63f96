// Every dashboard: a file in this folder and a line here. `deploy/dev/grafana.sh` writes ../dashboards from it.
{
  'overview.json': import 'overview.libsonnet',
  'detection.json': import 'detection.libsonnet',
  'delivery.json': import 'delivery.libsonnet',
  'archive.json': import 'archive.libsonnet',
  'state.json': import 'state.libsonnet',
  'kafka.json': import 'kafka.libsonnet',
}
