// Reads a schema as the generators of typed clients do, and generates code for
// the operations of an admin app.
//
//   node generators.mjs GENERATOR SCHEMA OPERATIONS
//
// GENERATOR   graphql-js, graphql-codegen or relay-compiler
// SCHEMA      a file with the SDL
// OPERATIONS  a file with operations; their names begin with "app"
//
// Prints what is wrong, and exits with 1 unless nothing is.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { codegen } from '@graphql-codegen/core';
import * as operationsPlugin from '@graphql-codegen/typescript-operations';
import * as typesPlugin from '@graphql-codegen/typescript';
import { buildSchema, parse, print, validate, validateSchema } from 'graphql';
import { readArguments } from './checks.mjs';

const [generator, schemaFile, operationsFile] = readArguments().plain;
const schemaText = readFileSync(schemaFile, 'utf8');
const operations = parse(readFileSync(operationsFile, 'utf8'));

const generators = {
  'graphql-js'() {
    const schema = buildSchema(schemaText);
    return [...validateSchema(schema), ...validate(schema, operations)].map((e) => e.message);
  },

  async 'graphql-codegen'() {
    await codegen({
      schema: parse(schemaText),
      documents: [{ location: operationsFile, document: operations }],
      config: {},
      filename: 'app.ts',
      plugins: [{ types: {} }, { operations: {} }],
      pluginMap: { types: typesPlugin, operations: operationsPlugin },
    });
    return [];
  },

  'relay-compiler'() {
    const folder = mkdtempSync(join(tmpdir(), 'relay-'));
    try {
      mkdirSync(join(folder, 'src'));
      writeFileSync(join(folder, 'schema.graphql'), schemaText);
      const tagged = operations.definitions.map((d) => 'graphql`\n' + print(d) + '\n`;');
      writeFileSync(join(folder, 'src', 'app.js'), tagged.join('\n\n'));
      writeFileSync(join(folder, 'relay.config.json'),
        JSON.stringify({ src: './src', language: 'javascript', schema: './schema.graphql' }));
      const cli = resolve('node_modules/relay-compiler/cli.js');
      const run = spawnSync(process.execPath, [cli], { cwd: folder, encoding: 'utf8' });
      return run.status === 0 ? [] : [run.stdout + run.stderr];
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

const problems = await generators[generator]();
problems.forEach((problem) => console.log(problem));
process.exit(problems.length === 0 ? 0 : 1);
