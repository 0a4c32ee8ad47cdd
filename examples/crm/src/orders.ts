import type { Database } from './database.ts'
import { Problem } from './problem.ts'
import { seedOrders } from './seed-orders.ts'

/** What the pages show of an order. Money is in whole cents, so that sums are exact. */
export interface Order {
  readonly id: number
  readonly customer: string
  readonly owner: string
  readonly status: 'Draft' | 'Approved'
  /** As of the last recalculation: it does not follow the lines by itself. */
  readonly totalCents: number
  readonly approvedBy: string | null
  /** ISO 8601 */
  readonly approvedAt: string | null
}

interface OrderLine {
  readonly line: number
  readonly product: string
  readonly quantity: number
  readonly priceCents: number
}

export interface OrderWithLines extends Order {
  readonly lines: readonly OrderLine[]
}

const QUANTITY_MAX = 999

const schema = `
  CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY,
    customer TEXT NOT NULL,
    owner TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'Draft',
    total_cents INTEGER NOT NULL,
    approved_by TEXT,
    approved_at TEXT
  );
  CREATE TABLE IF NOT EXISTS order_lines (
    order_id INTEGER NOT NULL REFERENCES orders (id),
    line INTEGER NOT NULL,
    product TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    price_cents INTEGER NOT NULL,
    PRIMARY KEY (order_id, line)
  );
`

const orderColumns = `id, customer, owner, status, total_cents AS "totalCents",
  approved_by AS "approvedBy", approved_at AS "approvedAt"`

/** The orders in the database, which gets its tables and a few orders to try things with where it has none. */
export class Orders {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
    database.exec(schema)
    database.transaction(() => this.#seedIfEmpty())
  }

  list(): Order[] {
    return this.#database.all<Order>(`SELECT ${orderColumns} FROM orders ORDER BY id`)
  }

  /** @throws Problem 404 */
  get(id: number): OrderWithLines {
    const [order] = this.#database.all<Order>(`SELECT ${orderColumns} FROM orders WHERE id = ?`, id)
    if (!order) throw new Problem(404, `There is no order ${id}.`)
    const lines = this.#database.all<OrderLine>(
      'SELECT line, product, quantity, price_cents AS "priceCents" FROM order_lines WHERE order_id = ? ORDER BY line',
      id,
    )
    return { ...order, lines }
  }

  /** The order as it is afterwards. @throws Problem 404, and 409 where it is approved already */
  approve(id: number, approvedBy: string): OrderWithLines {
    this.#requireDraft(id)
    this.#database.run(
      `UPDATE orders SET status = 'Approved', approved_by = ?, approved_at = ? WHERE id = ?`,
      approvedBy,
      new Date().toISOString(),
      id,
    )
    return this.get(id)
  }

  /** Makes an approved order a draft again. @throws Problem 404 */
  reopen(id: number): OrderWithLines {
    this.get(id)
    this.#database.run(`UPDATE orders SET status = 'Draft', approved_by = NULL, approved_at = NULL WHERE id = ?`, id)
    return this.get(id)
  }

  /** Changes how much of a product is ordered; the total stays until it is recalculated. @throws Problem 400, 404, 409 */
  setQuantity(id: number, line: number, quantity: number): OrderWithLines {
    if (!Number.isInteger(quantity) || quantity < 1 || quantity > QUANTITY_MAX) {
      throw new Problem(400, `'quantity' needs to be a whole number from 1 to ${QUANTITY_MAX}.`)
    }
    this.#requireDraft(id)
    const { changes } = this.#database.run(
      'UPDATE order_lines SET quantity = ? WHERE order_id = ? AND line = ?',
      quantity,
      id,
      line,
    )
    if (changes === 0) throw new Problem(404, `Order ${id} has no line ${line}.`)
    return this.get(id)
  }

  /** Brings the total of every order that is not approved in line with its lines. @returns the ids of those orders */
  recalculate(): number[] {
    return this.#database.transaction(() => {
      const drafts = this.#database.all<{ id: number }>(`SELECT id FROM orders WHERE status = 'Draft' ORDER BY id`)
      this.#database.run(`
        UPDATE orders
        SET total_cents = (SELECT coalesce(sum(quantity * price_cents), 0) FROM order_lines WHERE order_id = orders.id)
        WHERE status = 'Draft'`)
      return drafts.map(({ id }) => id)
    })
  }

  #requireDraft(id: number): void {
    if (this.get(id).status === 'Approved') throw new Problem(409, `Order ${id} is approved already.`)
  }

  #seedIfEmpty(): void {
    if (this.list().length > 0) return
    for (const { id, customer, owner, totalCents, lines } of seedOrders) {
      this.#database.run(
        'INSERT INTO orders (id, customer, owner, total_cents) VALUES (?, ?, ?, ?)',
        id,
        customer,
        owner,
        totalCents,
      )
      for (const [index, [product, quantity, priceCents]] of lines.entries()) {
        this.#database.run(
          'INSERT INTO order_lines (order_id, line, product, quantity, price_cents) VALUES (?, ?, ?, ?, ?)',
          id,
          index + 1,
          product,
          quantity,
          priceCents,
        )
      }
    }
  }
}
