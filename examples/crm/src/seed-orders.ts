interface SeedOrder {
  readonly id: number
  readonly customer: string
  readonly owner: string
  readonly totalCents: number
  /** Product, quantity, price in cents. */
  readonly lines: readonly (readonly [string, number, number])[]
}

/** Some are above the amount that somebody has to approve, some below; the totals of 43 and 45 are out of date, for one to recalculate. */
export const seedOrders: readonly SeedOrder[] = [
  {
    id: 41,
    customer: 'Harbour Foods',
    owner: 'anna',
    totalCents: 186_000,
    lines: [
      ['Label printer', 4, 32_500],
      ['Label rolls, box of 12', 7, 8_000],
    ],
  },
  {
    id: 42,
    customer: 'Tessera Clinic',
    owner: 'anna',
    totalCents: 1_284_000,
    lines: [
      ['Reception terminal', 6, 149_000],
      ['Wall mount', 6, 9_500],
      ['Installation, day', 3, 111_000],
    ],
  },
  {
    id: 43,
    customer: 'Blue Fjord Energy',
    owner: 'boris',
    totalCents: 2_310_000,
    lines: [
      ['Field tablet, rugged', 24, 98_000],
      ['Vehicle dock', 12, 21_500],
    ],
  },
  {
    id: 44,
    customer: 'Kestrel Schools',
    owner: 'chen',
    totalCents: 478_800,
    lines: [
      ['Classroom display', 3, 129_900],
      ['Trolley', 3, 29_700],
    ],
  },
  {
    id: 45,
    customer: 'Lindqvist Design',
    owner: 'boris',
    totalCents: 90_000,
    lines: [
      ['Colour calibrator', 2, 27_900],
      ['Monitor arm', 5, 11_800],
    ],
  },
  {
    id: 46,
    customer: 'Omnia Logistics',
    owner: 'chen',
    totalCents: 5_619_000,
    lines: [
      ['Handheld scanner', 60, 72_400],
      ['Charging cradle', 30, 18_500],
      ['Yearly support', 1, 720_000],
    ],
  },
]
