/**
 * Serves the Keystone that `OS_KEYSTONE_CONFIG_FILES` describes on `PORT` of loopback (0: a free one), and says which.
 * Ends when its standard input does, so that it never outlives the test that started it.
 *
 * The catalog lies in the database and names the port, so it is set before the first request.
 */
export const keystoneProgram = `
import os, socketserver, sqlite3, sys, threading, wsgiref.simple_server

port, database = int(sys.argv[1]), sys.argv[2]
sys.argv[1:] = []

def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)

threading.Thread(target=end_with_parent, daemon=True).start()

class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self):
        # As its parent, but without looking up the name of the host.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]
        self.setup_environ()

class Handler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *args):
        pass

    def address_string(self):
        return self.client_address[0]

server = Server(("127.0.0.1", port), Handler)
url = "http://127.0.0.1:%d" % server.server_port
catalog = sqlite3.connect(database)
# Threads of Keystone's read while others write.
catalog.execute("pragma journal_mode = wal")
catalog.execute(
    "update endpoint set url = ? where service_id in (select id from service where type = 'identity')",
    (url + "/v3",))
catalog.commit()
catalog.close()

from keystone.server.wsgi import initialize_public_application
server.set_app(initialize_public_application())
print(server.server_port, flush=True)
server.serve_forever()
`;
