/**
 * Sends a piece to each of the descriptors, in one call and without waiting.
 *
 * @param fds descriptors of connected TCP sockets
 * @param pieces at most 256 Buffers
 * @param which for each descriptor the piece, as its index
 * @param count so many descriptors
 * @param taken is filled in: how many bytes the kernel took for each; 0 where it had no room or refused
 * @returns how many pieces were not taken whole
 * @throws TypeError where an argument is of another kind, or too short
 */
export declare function sendAll(
  fds: Int32Array,
  pieces: readonly Uint8Array[],
  which: Uint8Array,
  count: number,
  taken: Int32Array,
): number
