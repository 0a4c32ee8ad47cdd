import { createEnvironment } from '../environment.ts'
import type { MessageChannelEvent, Subscription } from './message-channel-service.ts'
import { PageSubscription } from './page-subscription.ts'

/** A request of a Freedom UI page. */
export interface PageRequest {
  /** The page's view model: one for each page that is open. */
  readonly $context: object
}

/** What a page's schema has in its `handlers`. Source: PARITY 2.5. */
export interface PageHandler {
  readonly request: string
  readonly handler: (request: PageRequest, next?: NextHandler) => Promise<unknown>
}

interface NextHandler {
  handle(request: PageRequest): unknown
}

/** By the sender: gets the message, and the view model of the page that it is for. */
export type PageCallbacks<Context extends object = object> = Readonly<
  Record<string, (event: MessageChannelEvent<never>, context: Context) => unknown>
>

/** `MessageChannelService`, of this package or of Creatio's SDK. */
export interface MessageSubscriber {
  subscribe(sender: string, callback: (event: MessageChannelEvent<never>) => void): Promise<Subscription>
}

/** A page that is paused hears nothing; one that is resumed hears again. Source: PARITY 2.5. */
const STEPS = {
  'crt.HandleViewModelInitRequest': 'start',
  'crt.HandleViewModelResumeRequest': 'start',
  'crt.HandleViewModelPauseRequest': 'stop',
  'crt.HandleViewModelDestroyRequest': 'stop',
} as const

/**
 * Handlers of a Freedom UI page's life that keep its subscriptions: each page that is open hears each message once, from
 * its init to its destroy, but for the time that it is paused; whatever requests come twice or at the same time.
 * A page is never kept from opening: what goes wrong with a subscription is reported.
 *
 * @example
 * handlers: [
 *   ...createPageHandlers(new sdk.MessageChannelService(), {
 *     OrderChanged: (event, $context) =>
 *       sdk.HandlerChainService.instance.process({ type: 'crt.LoadDataRequest', dataSourceName: 'PDS', $context }),
 *   }),
 * ]
 */
export function createPageHandlers<Context extends object = object>(
  service: MessageSubscriber,
  callbacks: PageCallbacks<Context>,
  { reportError }: { readonly reportError: (error: unknown) => void } = createEnvironment(),
): PageHandler[] {
  const pages = new WeakMap<object, readonly PageSubscription[]>()
  const subscriptionsOf = (context: Context): readonly PageSubscription[] => {
    const present = pages.get(context)
    if (present) return present
    const made = Object.entries(callbacks).map(
      ([sender, callback]) =>
        new PageSubscription(() =>
          service.subscribe(sender, (event) => run(() => callback(event, context), reportError)),
        ),
    )
    pages.set(context, made)
    return made
  }
  return Object.entries(STEPS).map(([request, step]) => ({
    request,
    handler: async (given, next) => {
      // The page that the callbacks are written for.
      const subscriptions = subscriptionsOf(given.$context as Context)
      for (const outcome of await Promise.allSettled(subscriptions.map((subscription) => subscription[step]()))) {
        if (outcome.status === 'rejected') reportError(outcome.reason)
      }
      return next?.handle(given)
    },
  }))
}

/** Reports what a callback throws, also later, as a promise. */
function run(callback: () => unknown, reportError: (error: unknown) => void): void {
  new Promise((resolve) => resolve(callback())).catch(reportError)
}
