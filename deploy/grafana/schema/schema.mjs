// Whether dashboards are what Grafana takes for one: its own TypeScript types of a dashboard, of each kind of panel and
// of their options, made into JSON schemas that allow nothing they do not name.
//
// Usage: node schema.mjs FILE...      Exit: 0 all are; 1 one is not, and every place is named.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';

const modules = join(dirname(fileURLToPath(import.meta.url)), 'node_modules');

// Where the packages keep what is needed here.
const versions = {
  'grafana-11': {
    root: 'dist/cjs/index.d.cts',
    dashboard: 'dist/esm/raw/dashboard/x/dashboard_types.gen',
    options: (name) => `dist/esm/raw/composable/${name.toLowerCase()}/panelcfg/x/${name}PanelCfg_types.gen`,
  },
  'grafana-12': {
    root: 'dist/types/index.d.ts',
    dashboard: 'dist/types/raw/dashboard/x/types.gen',
    options: (name) => `dist/types/raw/composable/${name.toLowerCase()}/panelcfg/x/types.gen`,
  },
};

// The kinds of panels that are used, and which of them have options of a field.
const kinds = {
  stat: { name: 'Stat', field: false },
  timeseries: { name: 'TimeSeries', field: true },
  table: { name: 'Table', field: true },
  'state-timeline': { name: 'StateTimeline', field: true },
};

/** All types that are asked for, as the properties of one. */
function source(directory, version) {
  const imports = [`import type * as dashboard from '${directory}/${version.dashboard}';`];
  const types = ['Dashboard: dashboard.Dashboard', 'Panel: dashboard.Panel', 'Row: dashboard.RowPanel'];
  for (const { name, field } of Object.values(kinds)) {
    imports.push(`import type * as ${name} from '${directory}/${version.options(name)}';`);
    types.push(`${name}Options: ${name}.Options`);
    if (field) types.push(`${name}Field: ${name}.FieldConfig`);
  }
  return `${imports.join('\n')}\nexport interface Everything {\n  ${types.join(';\n  ')};\n}\n`;
}

/** A function that says what is wrong with a value of one of these types. */
function checker(package_, version) {
  const directory = join(modules, package_);
  const work = mkdtempSync(join(tmpdir(), 'schema-'));
  try {
    const path = join(work, 'everything.ts');
    const tsconfig = join(work, 'tsconfig.json');
    const compilerOptions = {
      module: 'esnext',
      moduleResolution: 'bundler',
      strict: true,
      skipLibCheck: true,
      types: [],
      paths: { '@grafana/schema': [join(directory, version.root)] },
    };
    writeFileSync(path, source(directory, version));
    writeFileSync(tsconfig, JSON.stringify({ compilerOptions, files: [path] }));
    const schema = createGenerator({ path, tsconfig, type: 'Everything', expose: 'none' }).createSchema('Everything');
    const ajv = new Ajv({ allErrors: true, strict: false });
    ajv.addSchema(schema, 'all');
    return (type, value) => {
      const validate = ajv.getSchema(`all#/definitions/Everything/properties/${type}`);
      if (!validate) throw new Error(`no type ${type}`);
      validate(value);
      return validate.errors ?? [];
    };
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Without what the Prometheus data source reads of an annotation: its types are in no package. */
function withoutQuery(annotation) {
  if (annotation.datasource.type !== 'prometheus') return annotation;
  const { expr, step, tagKeys, textFormat, titleFormat, useValueForTime, ...rest } = annotation;
  return rest;
}

/** What is wrong, each with its place. */
function complaints(check, dashboard) {
  const found = (place, type, value) =>
    check(type, value).map((error) => `${place}${error.instancePath}: ${error.message} ${JSON.stringify(error.params)}`);
  const of = (panel) => {
    const place = `panel ${panel.id} (${panel.title})`;
    if (panel.type === 'row') return found(place, 'Row', panel).concat(panel.panels.flatMap(of));
    const kind = kinds[panel.type];
    if (!kind) return [`${place}: the kind ${panel.type} is not in the list of schema.mjs`];
    const { custom } = panel.fieldConfig.defaults;
    return found(place, 'Panel', panel)
      .concat(found(`${place} options`, `${kind.name}Options`, panel.options))
      .concat(kind.field ? found(`${place} custom`, `${kind.name}Field`, custom) : []);
  };
  const annotations = { list: dashboard.annotations.list.map(withoutQuery) };
  return found('dashboard', 'Dashboard', { ...dashboard, annotations, panels: [] }).concat(dashboard.panels.flatMap(of));
}

const files = process.argv.slice(2);
let wrong = 0;
for (const [package_, version] of Object.entries(versions)) {
  const check = checker(package_, version);
  for (const file of files) {
    for (const complaint of complaints(check, JSON.parse(readFileSync(file)))) {
      wrong += 1;
      console.error(`${basename(file)} for ${package_}: ${complaint}`);
    }
  }
}
console.log(`${files.length} dashboards against the types of ${Object.keys(versions).join(' and ')}: ${wrong} complaints`);
process.exit(wrong === 0 && files.length > 0 ? 0 : 1);
