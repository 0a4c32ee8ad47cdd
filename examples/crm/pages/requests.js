/** Asks the server. @throws Error that says what the server said was wrong */
export async function ask(method, path, body) {
  const init = body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
  const answer = await fetch(path, { method, ...init })
  if (answer.ok) return answer.json()
  const problem = await answer.json().catch(() => ({}))
  throw new Error(problem.detail ?? `The server answered ${answer.status}.`)
}
