// Bytes as an attacker writes them: sockets without a client library, frames that no library would make.

import { randomBytes } from 'node:crypto';
import net from 'node:net';

// One frame of a client, masked with zeros. first_byte: FIN, RSV1 and opcode.
export function frame(first_byte, payload = Buffer.alloc(0)) {
  const size = payload.length;
  const length = size < 126 ? [0x80 | size]
    : size < 65_536 ? [0x80 | 126, size >> 8, size & 255]
      : [0x80 | 127, 0, 0, 0, 0, size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255];
  return Buffer.concat([Buffer.from([first_byte, ...length, 0, 0, 0, 0]), payload]);
}

// Where attackers come from. The honest come from 127.0.0.1, and limits of an address must not be shared with them.
export const kAttackerAddress = '127.0.0.66';

export class RawSocket {
  static #all = new Set();
  // For an attack whose time is over and that waits for what never comes.
  static destroy_all() { for (const raw of RawSocket.#all) raw.destroy(); }

  bytes_sent = 0;
  bytes_heard = 0;
  heard = Buffer.alloc(0);   // the first 64 KiB

  // local: an address of ours to come from, such as 127.0.0.7.
  static connect(port, { host = '127.0.0.1', local = kAttackerAddress } = {}) {
    const raw = new RawSocket();
    raw.socket = net.connect({ port, host, localAddress: local });
    raw.socket.setNoDelay(true);
    raw.closed = new Promise((resolve) => { raw.socket.once('close', () => { raw.is_closed = true; RawSocket.#all.delete(raw); resolve(); }); });
    RawSocket.#all.add(raw);
    raw.socket.on('error', (error) => { raw.error = error; });
    raw.socket.on('data', (bytes) => {
      raw.bytes_heard += bytes.length;
      if (raw.heard.length < 65_536) raw.heard = Buffer.concat([raw.heard, bytes]);
      raw.on_data?.();
    });
    return new Promise((resolve) => {
      raw.socket.once('connect', () => resolve(raw));
      raw.socket.once('close', () => resolve(raw));
    });
  }

  // A WebSocket; token and deflate are optional. Resolves when the answer's header is there or the socket is gone.
  static async upgrade(port, { token, deflate = false, host, local, headers = [], path = '/ws' } = {}) {
    const raw = await RawSocket.connect(port, { host, local });
    const lines = [`GET ${path} HTTP/1.1`, 'Host: 127.0.0.1', 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13',
                   `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`, 'Sec-WebSocket-Protocol: uproar.v1', ...headers];
    if (token) lines.push(`Authorization: Bearer ${token}`);
    if (deflate) lines.push('Sec-WebSocket-Extensions: permessage-deflate');
    await raw.write(`${lines.join('\r\n')}\r\n\r\n`);
    await raw.until(() => raw.heard.includes('\r\n\r\n'));
    raw.is_upgraded = raw.heard.toString('latin1').startsWith('HTTP/1.1 101');
    return raw;
  }

  // Resolves when the kernel has taken it, or the socket is gone.
  async write(bytes) {
    if (this.is_closed) return;
    const error = await new Promise((resolve) => { this.socket.write(bytes, resolve); });
    if (error) return this.closed;   // a loop of writes to what is gone would never let the close be heard
    this.bytes_sent += bytes.length;
  }

  // Resolves when `is_true()` after bytes that came, or when the socket is gone.
  until(is_true) {
    if (is_true() || this.is_closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.on_data = () => { if (is_true()) resolve(); };
      this.closed.then(resolve);
    });
  }

  // The code of the close frame, if one ends what was heard: {code, reason}.
  close_frame() {
    const at = this.heard.lastIndexOf(0x88);
    if (at < 0 || at + 4 > this.heard.length) return undefined;
    const size = this.heard[at + 1];
    return { code: this.heard.readUInt16BE(at + 2), reason: this.heard.subarray(at + 4, at + 2 + size).toString() };
  }

  destroy() { this.socket.destroy(); }
}
