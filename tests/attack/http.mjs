// REST from an address of its own, over connections that are kept.

import { Agent, request } from 'node:http';

export class Caller {
  bytes_sent = 0;

  // local: an address of ours to come from, such as 127.0.2.7.
  constructor(port, local, connections = 1) {
    this.port = port;
    this.agent = new Agent({ keepAlive: true, maxSockets: connections, localAddress: local });
  }

  // -> {status, body}; status 0: the connection ended without an answer.
  post(path, body) {
    const text = JSON.stringify(body);
    return new Promise((resolve) => {
      const asked = request({ port: this.port, host: '127.0.0.1', method: 'POST', path, agent: this.agent,
                              headers: { 'content-type': 'application/json', 'content-length': text.length } }, (answer) => {
        let heard = '';
        answer.on('data', (bytes) => { heard += bytes; });
        answer.on('end', () => resolve({ status: answer.statusCode, body: heard === '' ? undefined : JSON.parse(heard) }));
        answer.on('error', () => resolve({ status: 0 }));
      });
      asked.on('error', () => resolve({ status: 0 }));
      asked.end(text);
      this.bytes_sent += text.length + 150;   // with its header, about
    });
  }

  destroy() { this.agent.destroy(); }
}

export const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// Each of `callers` does `once` again and again, with a pause in between: what is attacked is one thing, not the processors that the
// attacker and the honest share.
export function all_do(callers, goes_on, pause_ms, once) {
  return Promise.all(callers.map(async (caller, i) => {
    while (goes_on()) {
      await once(caller, i);
      await sleep(pause_ms);
    }
  }));
}
