import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { settingsFrom } from '../../local/settings.ts'
import { openMysql } from '../../runtime/starrocks/mysql.ts'
import type { Question } from './page.ts'
import type { Printed } from './same-answer.ts'

const run = promisify(execFile)
const installMs = 240_000
const askMs = 60_000

type Door = { readonly port: number; readonly database: string }

/** Asks all questions in their order. */
export type AskAll = (door: Door, questions: readonly Question[]) => Promise<Printed[]>

/** The client that our own services use. */
export const mysql2Client: AskAll = async ({ port, database }, questions) => {
  const sql = openMysql({ address: `127.0.0.1:${port}`, user: 'root', password: '', database })
  const answers: Printed[] = []
  for (const { sql: statement } of questions) {
    const rows = await sql.query(statement)
    answers.push(rows.map(row => Object.values(row).map(value => (value === null ? null : String(value)))))
  }
  await sql.close()
  return answers
}

const works = (file: string, args: readonly string[]): Promise<boolean> =>
  run(file, [...args], { timeout: askMs }).then(
    () => true,
    () => false,
  )

/** Debian's package, where a program is missing: a machine that runs tests may be bare. */
const install = async (debianPackage: string): Promise<void> => {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  try {
    await run('apt-get', ['update', '-qq'], { env, timeout: installMs })
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', debianPackage], {
      env,
      timeout: installMs,
    })
  } catch (error) {
    throw new Error(`${debianPackage} is missing and could not be installed; install it as root`, { cause: error })
  }
}

/** The MySQL command line client of Debian, which is MariaDB's. */
export const mysqlCli = async (): Promise<AskAll> => {
  const client = 'mariadb'
  if (!(await works(client, ['--version']))) await install('mariadb-client')
  return async ({ port, database }, questions) => {
    const answers: Printed[] = []
    for (const { sql } of questions) {
      const where = ['--no-defaults', '-h127.0.0.1', `-P${port}`, '-uroot', '--skip-ssl', database]
      const { stdout } = await run(client, [...where, '--batch', '--raw', '--skip-column-names', '-e', sql], {
        timeout: askMs,
      })
      answers.push(linesOf(stdout))
    }
    return answers
  }
}

const linesOf = (printed: string): Printed =>
  printed
    .split('\n')
    .filter(line => line !== '')
    .map(line => line.split('\t').map(cell => (cell === 'NULL' ? null : cell)))

const pymysql = '1.1.2'

/** PyMySQL, in an environment of its own beside the jars. */
export const pythonClient = async (): Promise<AskAll> => {
  const python = await pythonWithPymysql()
  return async ({ port, database }, questions) => {
    const child = spawn(python, [join(import.meta.dirname, 'ask.py'), String(port), database], { timeout: askMs })
    child.stdin.end(JSON.stringify(questions.map(({ sql }) => sql)))
    const [printed, complaints, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ])
    if (code !== 0) throw new Error(`PyMySQL ended with ${code}: ${complaints}`)
    return JSON.parse(printed) as Printed[]
  }
}

const pythonWithPymysql = async (): Promise<string> => {
  const folder = join(settingsFrom(process.env).cacheDir, 'python', `pymysql-${pymysql}`)
  const python = join(folder, 'bin', 'python')
  const isThere = () => works(python, ['-c', `import pymysql; assert pymysql.__version__ == "${pymysql}"`])
  if (existsSync(folder) && (await isThere())) return python
  if (!(await works('python3', ['-c', 'import ensurepip, venv']))) await install('python3-venv')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(dirname(folder), { recursive: true })
  await run('python3', ['-m', 'venv', folder], { timeout: installMs })
  await run(python, ['-m', 'pip', 'install', '--quiet', `PyMySQL==${pymysql}`], { timeout: installMs })
  return python
}
