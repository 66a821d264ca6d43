// A TCP proxy whose line can be cut: what is open is reset, what comes is refused, until it is mended.
// (A browser's "offline" switch leaves open WebSockets alone, so it would prove nothing.)

import { connect, createServer } from 'node:net';

export async function start_proxy(target_port) {
  const pairs = new Set();
  let cut = false;
  let refused = 0;

  const listener = createServer((near) => {
    if (cut) {
      refused += 1;
      near.resetAndDestroy();
      return;
    }
    const far = connect(target_port, '127.0.0.1');
    const pair = [near, far];
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    near.pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));

  const reset_all = () => { for (const pair of [...pairs]) for (const socket of pair) socket.resetAndDestroy(); };
  return {
    port: listener.address().port,
    refused: () => refused,
    cut() {
      cut = true;
      reset_all();
    },
    mend() { cut = false; },
    async stop() {
      reset_all();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
