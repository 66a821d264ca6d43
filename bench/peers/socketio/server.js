// A room server on Socket.IO: its rooms, io.to(room).emit(). WebSocket alone, as its performance advice has it.
// server.js PORT

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { Server } from "socket.io";

const [port] = process.argv.slice(2);
const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false, perMessageDeflate: false });

// "Discard the initial HTTP request": https://socket.io/docs/v4/memory-usage/
io.engine.on("connection", (connection) => {
  connection.request = null;
});

io.on("connection", (socket) => {
  socket.data.id = randomUUID();
  socket.on("publish", ({ room, name, data }) => {
    io.to(room).emit("event", { conversation_id: room, name, data, sender_id: socket.data.id });
  });
  const { room } = socket.handshake.auth;
  socket.join(room);
  socket.emit("joined", { conversation_id: room });
});

http.listen(Number(port), "127.0.0.1");
