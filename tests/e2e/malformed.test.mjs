// Malformed input against the live server costs only its sender: a neighbour on the same shard goes on talking.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { deflateRawSync } from 'node:zlib';

import { use_server } from './server.mjs';

// A client frame; fields override what would be right.
function frame(opcode, payload = Buffer.alloc(0), { fin = true, rsv = 0, mask = true, length = payload.length, form } = {}) {
  const size = form ?? (length <= 125 ? 7 : length <= 0xffff ? 16 : 64);
  const head = Buffer.alloc(size === 7 ? 2 : size === 16 ? 4 : 10);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (mask ? 0x80 : 0) | (size === 7 ? length : size === 16 ? 126 : 127);
  if (size === 16) head.writeUInt16BE(length, 2);
  if (size === 64) head.writeBigUInt64BE(BigInt(length), 2);
  if (!mask) return Buffer.concat([head, payload]);
  const key = Buffer.from([0x11, 0x22, 0x33, 0x44]);
  return Buffer.concat([head, key, payload.map((byte, i) => byte ^ key[i % 4])]);
}

const close = (code, reason = Buffer.alloc(0)) => frame(8, Buffer.concat([Buffer.from([code >> 8, code & 255]), reason]));
const text = (words) => frame(1, Buffer.from(words));

const kFrames = {
  'unmasked': [frame(1, Buffer.from('{}'), { mask: false }), 1002],
  'RSV2': [frame(1, Buffer.from('{}'), { rsv: 2 }), 1002],
  'RSV1 without extension': [frame(1, Buffer.from('{}'), { rsv: 4 }), 1002],
  'reserved opcode 3': [frame(3), 1002],
  'reserved opcode 15': [frame(15), 1002],
  'length with the top bit': [frame(1, undefined, { length: 2n ** 63n, form: 64 }), 1002],
  'length not minimal': [frame(1, Buffer.from('{}'), { form: 16 }), 1002],
  'ping over 125 bytes': [frame(9, Buffer.alloc(126)), 1002],
  'fragmented ping': [frame(9, undefined, { fin: false }), 1002],
  'continuation of nothing': [frame(0, Buffer.from('{}')), 1002],
  'text inside a message': [Buffer.concat([frame(1, Buffer.from('{'), { fin: false }), text('{}')]), 1002],
  'close of one byte': [frame(8, Buffer.from([3])), 1002],
  'close code 999': [close(999), 1002],
  'close code 1005': [close(1005), 1002],
  'close code 2999': [close(2999), 1002],
  'close code 5000': [close(5000), 1002],
  'close reason not UTF-8': [close(1000, Buffer.from([0xff])), 1007],
  'text not UTF-8': [frame(1, Buffer.from([0x22, 0xc0, 0xaf, 0x22])), 1007],
  'surrogate in text': [frame(1, Buffer.from([0xed, 0xa0, 0x80])), 1007],
  'too large': [frame(1, undefined, { length: 1 << 20, form: 64 }), 1009],
  'binary': [frame(2, Buffer.from('{}')), 1003],
  'a flood of pings': [Buffer.concat(Array.from({ length: 200 }, () => frame(9))), 1008],
};

const nested = (depth) => '['.repeat(depth) + ']'.repeat(depth);

// JSON that is refused in words, here and there given; the connection stays.
const kCommands = {
  'nothing': ['', 'bad_json', 'the message is empty: expected a JSON object'],
  'no object': ['[]', 'bad_json', 'the message: expected a JSON object, got an array'],
  'cut': ['{"type":"ping"', 'bad_json', 'the message: expected JSON, got one that ends too early'],
  'two objects': ['{"type":"ping"}{"type":"ping"}', 'bad_json'],
  'a control character in a string': ['{"type":"pi\u0001ng"}', 'bad_json'],
  'a number that is none': ['{"type":"ping","x":01}', 'bad_json', 'the message: expected JSON, got something else at byte 20'],
  'nested too deep': [`{"type":"ping","x":${nested(33)}}`, 'invalid_field', 'an unknown field: nested more than 32 deep'],
  'given twice': ['{"type":"ping","id":1,"id":2}', 'invalid_field', 'id: given twice'],
  'a number above 2^53': ['{"type":"message.read","conversation_id":"00000000-0000-4000-8000-000000000000","seq":9007199254740993}', 'invalid_field',
                          'seq: expected a whole number from 1 to 9007199254740991, got 9007199254740993'],
  'no type': ['{"id":1}', 'missing_field'],
  'type is no string': ['{"type":7}', 'invalid_field'],
  'type unknown': ['{"type":"Ping"}', 'unknown_type'],
  'id is an object': ['{"type":"ping","id":{}}', 'invalid_field'],
  'id too long': [`{"type":"ping","id":"${'x'.repeat(63)}"}`, 'invalid_field'],
  'seq negative': ['{"type":"message.read","conversation_id":"00000000-0000-4000-8000-000000000000","seq":-1}', 'invalid_field'],
  'seq with a fraction': ['{"type":"message.read","conversation_id":"00000000-0000-4000-8000-000000000000","seq":1.5}', 'invalid_field'],
  'an id that is no UUID': ['{"type":"history","conversation_id":"1"}', 'invalid_field'],
  'kind system': ['{"type":"message.send","to":"00000000-0000-4000-8000-000000000000","client_id":"k","content":"x","kind":"system"}', 'invalid_field'],
  'U+0000 in content': ['{"type":"message.send","to":"00000000-0000-4000-8000-000000000000","client_id":"k","content":"\\u0000"}', 'invalid_field'],
};

for (const shards of [1, 2]) {
  describe(`on ${shards} shard${shards > 1 ? 's' : ''}`, () => {
    const server = use_server(before, after, { shards });
    let ada, bob, a, b;
    let count = 0;

    before(async () => {
      [ada, bob] = await server().people('ada', 'bob');
      [a, b] = [await ada.connect(), await bob.connect()];
    });

    async function neighbours_talk() {
      const sent = await a.get({ type: 'message.send', to: bob.id, client_id: `n${++count}`, content: 'undisturbed' }, 'message.sent');
      await b.waitFor({ type: 'message.new', seq: sent.seq });
    }

    // Opens a session by hand; what is written then is ours alone.
    async function raw_session(token, extensions = '') {
      const socket = connect(server().port, '127.0.0.1');
      socket.on('error', () => {});
      const chunks = [];
      let wake = () => {};
      let ended = false;
      socket.on('data', (bytes) => { chunks.push(bytes); wake(); });
      socket.on('close', () => { ended = true; wake(); });
      const until = async (test) => {
        while (!test(Buffer.concat(chunks)) && !ended) await new Promise((resolve) => { wake = resolve; });
        return Buffer.concat(chunks);
      };
      socket.write(`GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
                   `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nAuthorization: Bearer ${token}\r\n${extensions}\r\n`);
      await until((bytes) => bytes.includes('session.ready'));
      const from = Buffer.concat(chunks).length;
      return { socket, closed_with: async () => close_code_in((await until(() => false)).subarray(from)) };
    }

    function close_code_in(bytes) {
      for (let at = 0; at + 2 <= bytes.length;) {
        const opcode = bytes[at] & 15;
        let length = bytes[at + 1] & 127;
        let head = 2;
        if (length === 126) { length = bytes.readUInt16BE(at + 2); head = 4; }
        if (opcode === 8) return length >= 2 ? bytes.readUInt16BE(at + head) : 1005;
        at += head + length;
      }
      return undefined;
    }

    for (const [name, [bytes, code]] of Object.entries(kFrames)) {
      it(`${name}: closed with ${code}, whole and byte by byte, and nobody else notices`, async () => {
        const eve = await server().person('eve');
        for (const one_by_one of [false, true]) {
          if (one_by_one && bytes.length > 200) continue;
          const session = await raw_session(eve.token);
          session.socket.setNoDelay(true);
          if (one_by_one) for (const byte of bytes) await new Promise((resolve) => session.socket.write(Buffer.from([byte]), resolve));
          else session.socket.write(bytes);
          assert.equal(await session.closed_with(), code, one_by_one ? 'byte by byte' : 'whole');
          session.socket.destroy();
        }
        await neighbours_talk();
      });
    }

    it('a deflate bomb is closed with 1009, broken deflate with 1007, a foreign bit with 1002', async () => {
      const eve = await server().person('eve');
      const bomb = deflateRawSync(Buffer.alloc(50_000_000), { finishFlush: 2 }).subarray(0, -4);
      const big = bomb.subarray(0, 100_000);
      for (const [bytes, code] of [[frame(1, big, { rsv: 4 }), 1009], [frame(1, Buffer.from([0xff, 0xff, 0xff]), { rsv: 4 }), 1007], [frame(9, undefined, { rsv: 4 }), 1002]]) {
        const session = await raw_session(eve.token, 'Sec-WebSocket-Extensions: permessage-deflate\r\n');
        session.socket.write(bytes);
        assert.equal(await session.closed_with(), code);
        session.socket.destroy();
      }
      await neighbours_talk();
    });

    it('malformed commands are refused by name, and the connection goes on', async () => {
      const eve = await server().person('eve');
      const client = await eve.connect();
      for (const [name, [words, code, message]] of Object.entries(kCommands)) {
        client.send(words);
        const error = await client.waitFor({ type: 'error' });
        assert.equal(error.code, code, name);
        if (message) assert.equal(error.message, message, name);
      }
      await client.ping();
      await neighbours_talk();
    });

    it('malformed HTTP is answered and closed', async () => {
      for (const [words, statuses] of [
        ['GET / HTTP/1.1\r\n\r\n', [400]], ['GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', [400]], ['GET / HTTP/3.0\r\nHost: x\r\n\r\n', [400, 505]],
        ['POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n', [400]],
        ['POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc', [400]],
        [`GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, [414]], [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, [431]],
        ['\x16\x03\x01\x02\x00', [400]], ['GET / HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n', [400]],
        ['GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 8\r\n\r\n', [426]],
      ]) {
        const answer = await new Promise((resolve) => {
          const socket = connect(server().port, '127.0.0.1');
          let said = '';
          socket.on('error', () => resolve(said));
          socket.on('data', (bytes) => { said += bytes; });
          socket.on('close', () => resolve(said));
          socket.write(Buffer.from(words, 'latin1'));
        });
        const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
        assert.ok(statuses.includes(status), `${JSON.stringify(words.slice(0, 80))}: ${answer.slice(0, 200)}`);
      }
      await neighbours_talk();
    });

    it('a thousand connections of noise leave nothing behind', async () => {
      const before_it = await server().metric('uproar_net_connections');
      let seed = 7;
      const noise = (length) => Buffer.from(Array.from({ length }, () => { seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed >> 16 & 255; }));
      for (let round = 0; round < 4; ++round) {
        await Promise.all(Array.from({ length: 250 }, (_, i) => new Promise((resolve) => {
          const socket = connect(server().port, '127.0.0.1');
          socket.on('error', resolve);
          socket.on('close', resolve);
          socket.on('data', () => {});
          socket.write(i % 2 ? noise(64 + i) : Buffer.concat([Buffer.from('GET /ws HTTP/1.1\r\n'), noise(i)]));
          socket.end();
        })));
      }
      await neighbours_talk();
      let left;
      for (let i = 0; i < 10; ++i) {   // each but the first waits a second
        left = await server().metric('uproar_net_connections');
        if (left <= before_it + 4) break;
      }
      assert.ok(left <= before_it + 4, `${left} connections, ${before_it} before`);
    });
  });
}
