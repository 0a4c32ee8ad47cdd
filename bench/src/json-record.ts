/** A JSON object from outside, read field by field: what is missing or of another type is an error that names it. */
export class JsonRecord {
  readonly #fields: ReadonlyMap<string, unknown>
  readonly #what: string

  constructor(value: unknown, what: string) {
    if (typeof value !== 'object' || value === null) throw new TypeError(`${what} is not an object`)
    this.#fields = new Map(Object.entries(value))
    this.#what = what
  }

  static parse(text: string, what: string): JsonRecord {
    try {
      return new JsonRecord(JSON.parse(text), what)
    } catch (error) {
      throw new TypeError(`${what} is not JSON: ${text.slice(0, 200)}`, { cause: error })
    }
  }

  has(name: string): boolean {
    return this.#fields.has(name)
  }

  number(name: string): number {
    const value = this.#fields.get(name)
    if (typeof value === 'number') return value
    throw new TypeError(`${this.#what}: "${name}" is not a number`)
  }

  text(name: string): string {
    const value = this.#fields.get(name)
    if (typeof value === 'string') return value
    throw new TypeError(`${this.#what}: "${name}" is not a text`)
  }

  /** A field that may be left out where it is false. */
  isTrue(name: string): boolean {
    return this.#fields.get(name) === true
  }

  record(name: string): JsonRecord {
    return new JsonRecord(this.#fields.get(name), `${this.#what}: "${name}"`)
  }

  list(name: string): JsonRecord[] {
    const value = this.#fields.get(name)
    if (!Array.isArray(value)) throw new TypeError(`${this.#what}: "${name}" is not a list`)
    return value.map((item, index) => new JsonRecord(item, `${this.#what}: "${name}"[${index}]`))
  }
}
