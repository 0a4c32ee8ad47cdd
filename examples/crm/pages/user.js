const users = ['anna', 'boris', 'chen']

/** Who this window is: from its address, else from its session, else Anna. Other windows may be somebody else. */
export const currentUser = readUser()

/** Lets one be somebody else in this window. */
export function createUserPicker() {
  const picker = document.createElement('select')
  picker.id = 'user'
  for (const user of new Set([...users, currentUser])) picker.append(new Option(nameOf(user), user))
  picker.value = currentUser
  picker.addEventListener('change', () => {
    const address = new URL(location.href)
    address.searchParams.set('user', picker.value)
    location.assign(address)
  })
  return picker
}

export function nameOf(user) {
  return users.includes(user) ? user[0].toUpperCase() + user.slice(1) : user
}

/** Whom a message can be posted to. */
export const knownUsers = users

function readUser() {
  const named = new URLSearchParams(location.search).get('user')
  if (named) sessionStorage.setItem('user', named)
  return named || sessionStorage.getItem('user') || 'anna'
}
