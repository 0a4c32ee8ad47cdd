const colors = {
  defaultFillColor: 'var(--diagram-fill)',
  defaultStrokeColor: 'var(--diagram-stroke)',
  defaultLabelColor: 'var(--diagram-label)',
}

/** Draws the very file that the server runs, and shows where a run of it is. */
export async function createDiagram(container) {
  const viewer = new window.BpmnJS({ container, bpmnRenderer: colors })
  const answer = await fetch('/process/order-approval.bpmn')
  await viewer.importXML(await answer.text())
  const canvas = viewer.get('canvas')
  const fit = () => canvas.zoom('fit-viewport', 'auto')
  fit()
  new ResizeObserver(fit).observe(container)
  let marked = new Map()

  return {
    show: function (steps, status) {
      const wanted = new Map()
      for (const { activity, state, via } of steps) {
        wanted.set(activity, `step-${status === 'failed' && state !== 'done' ? 'failed' : state}`)
        if (via) wanted.set(via, 'flow-taken')
      }
      for (const [id, marker] of marked) if (wanted.get(id) !== marker) canvas.removeMarker(id, marker)
      for (const [id, marker] of wanted) if (marked.get(id) !== marker) canvas.addMarker(id, marker)
      marked = wanted
      container.dataset.active = steps
        .filter(({ state }) => state !== 'done')
        .map(({ activity }) => activity)
        .join(' ')
      container.dataset.done = steps
        .filter(({ state }) => state === 'done')
        .map(({ activity }) => activity)
        .join(' ')
    },
  }
}
