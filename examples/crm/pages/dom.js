/** Makes an element. Children are text or elements; text stays text, whatever it holds. */
export function element(tag, properties = {}, ...children) {
  const { dataset = {}, ...rest } = properties
  const made = Object.assign(document.createElement(tag), rest)
  Object.assign(made.dataset, dataset)
  made.append(...children)
  return made
}

/** The element with this id. */
export function byId(id) {
  return document.getElementById(id)
}

const amount = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })

export function money(cents) {
  return amount.format(cents / 100)
}

/** Lights an element up for a moment: what it shows has changed. */
export function flash(changed) {
  changed.classList.remove('changed')
  // Read, so that the animation begins anew.
  void changed.offsetWidth
  changed.classList.add('changed')
}
