import { isObject } from './is-object.ts'

/**
 * Gives the global of that name what it lacks of these names, and makes it where there is none. Of plain objects that are
 * there already, such as `EventName`, the members too. Returns the global.
 */
export function installNames(target: object, name: string, names: object): object {
  const present: unknown = Reflect.get(target, name)
  const home = isObject(present) ? present : {}
  addMissing(home, names, (theirs, ours) => {
    // An instance or a class stays what it is as a whole.
    if (Object.getPrototypeOf(ours) === Object.prototype) addMissing(theirs, ours)
  })
  if (home !== present) Reflect.set(target, name, home)
  return home
}

function addMissing(theirs: object, ours: object, onBoth?: (theirs: object, ours: object) => void): void {
  for (const [name, value] of Object.entries(ours) as Array<[string, unknown]>) {
    const present: unknown = Reflect.get(theirs, name)
    if (present === undefined) Reflect.set(theirs, name, value)
    else if (isObject(present) && isObject(value)) onBoth?.(present, value)
  }
}
