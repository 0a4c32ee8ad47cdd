import type { RemoteClients } from '../hub/remote-clients.ts'
import type { Cluster } from './cluster.ts'
import { toInvocation } from './invocation-text.ts'

/** The clients that the hub at a path has at other nodes. */
export function createRemoteClients(cluster: Cluster, path: string): RemoteClients {
  return {
    send: (audience, target, args) => cluster.call(path, audience, () => toInvocation(target, args)),
    invoke: (connection, target, args, options) =>
      cluster.invoke({ path, connection, invocation: () => toInvocation(target, args) }, options),
    setGroup: async (connection, group, isIn) =>
      (await cluster.ask({ what: 'hubGroup', path, connection, group, isIn })) > 0,
  }
}
