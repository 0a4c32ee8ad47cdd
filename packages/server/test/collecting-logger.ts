import { type Logger, pino } from 'pino'

/** Keeps what is logged, warnings and worse, as `what happened: the error's text`. */
export function collectLogged(logged: string[]): Logger {
  return pino({ level: 'warn' }, { write: (line) => logged.push(textOf(line)) })
}

function textOf(line: string): string {
  const { err, msg } = JSON.parse(line) as { readonly err?: { readonly message: string }; readonly msg: string }
  return err ? `${msg}: ${err.message}` : msg
}
