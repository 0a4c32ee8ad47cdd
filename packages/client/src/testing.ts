export type { TestAudience, TestClient } from './testing/test-log.ts'
export {
  createTestServer,
  type TestConnectOptions,
  type TestMethod,
  type TestPostOptions,
  type TestServer,
  type TestServerOptions,
} from './testing/test-server.ts'
