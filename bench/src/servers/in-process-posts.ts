/** What one request makes the server post in process, so that the request itself costs next to nothing. */
export const POSTS_PER_REQUEST = 12_800
/** Posted before the first of them is awaited. */
export const POSTS_TOGETHER = 64
