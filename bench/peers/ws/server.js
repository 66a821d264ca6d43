// A room server on ws: a room is a set of sockets, and a publish is encoded once and sent to each.
// server.js PORT [--raw]

import { randomUUID } from "node:crypto";
import { WebSocket, WebSocketServer } from "ws";

const [port, mode] = process.argv.slice(2);
const rooms = new Map();

const join = (socket, room) => {
  if (!rooms.has(room)) rooms.set(room, new Set());
  rooms.get(room).add(socket);
  socket.on("close", () => {
    const members = rooms.get(room);
    members.delete(socket);
    if (members.size === 0) rooms.delete(room);
  });
};

// A Buffer, because a string would be turned into bytes again for every member.
const broadcast = (room, bytes, binary) => {
  for (const member of rooms.get(room) ?? []) {
    if (member.readyState === WebSocket.OPEN) member.send(bytes, { binary });
  }
};

const json = (socket, bytes) => {
  const command = JSON.parse(bytes);
  if (command.type === "publish") {
    broadcast(command.room, Buffer.from(JSON.stringify({
      type: "event", conversation_id: command.room, name: command.name, data: command.data, sender_id: socket.id,
    })), false);
  } else if (command.type === "join") {
    join(socket, command.room);
    socket.send(JSON.stringify({ type: "joined", conversation_id: command.room }));
  }
};

const JOIN = "j".charCodeAt(0);

// The first byte is the command: j and the room, or p and anything, for the room that was joined.
const raw = (socket, bytes) => {
  if (bytes[0] === JOIN) {
    socket.room = bytes.toString("utf8", 1);
    join(socket, socket.room);
    socket.send("joined");
  } else {
    broadcast(socket.room, bytes, true);
  }
};

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), perMessageDeflate: false });
const serve = mode === "--raw" ? raw : json;
server.on("connection", (socket) => {
  socket.id = randomUUID();
  socket.on("message", (bytes) => serve(socket, bytes));
  socket.on("error", () => {});  // "close" follows
});
