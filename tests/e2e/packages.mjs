// The pinned npm packages, for tests in other folders: a module is looked for beside the file that imports it.

export { SignJWT } from 'jose';
export { default as WebSocket } from 'ws';
