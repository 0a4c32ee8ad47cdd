import { type ConformanceContract, createConformanceHub as createHub } from '../../../test/conformance/hub.ts'
import { defineHub, type HubDefinition } from '../src/hub/hub-definition.ts'
import { HubException } from '../src/hub/hub-exception.ts'
import { upload } from '../src/hub/validator.ts'

export type { ConformanceContract }

/** The hub of the conformance server, made of the sources under test. */
export function createConformanceHub(detailedErrors = false): HubDefinition<ConformanceContract> {
  return createHub({ defineHub, HubException, upload }, detailedErrors)
}
