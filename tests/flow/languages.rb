# SPDX-License-Identifier: Apache-2.0
# Flow 38: Ruby signs and verifies with a reference, and serves TLS with one.
#
#     languages.rb RELEASE-REFERENCE CERT WEB-REFERENCE
require 'openssl'
require 'socket'

release, cert, web = ARGV
key = OpenSSL::PKey.read(File.read(release))
sig = key.sign(nil, 'hello')
abort 'not 64 bytes' unless sig.bytesize == 64
abort 'does not verify' unless key.verify(nil, sig, 'hello')
abort 'verifies what was changed' if key.verify(nil, sig, 'hellO')
public = OpenSSL::PKey.read(key.public_to_pem)
abort 'public half' unless public.verify(nil, sig, 'hello')
begin
  puts key.private_to_der
  abort 'a private key came out'
rescue OpenSSL::PKey::PKeyError
end

server = OpenSSL::SSL::SSLContext.new
server.cert = OpenSSL::X509::Certificate.new(File.read(cert))
server.key = OpenSSL::PKey.read(File.read(web))
client = OpenSSL::SSL::SSLContext.new
client.verify_mode = OpenSSL::SSL::VERIFY_PEER
client.ca_file = cert
left, right = UNIXSocket.pair
thread = Thread.new do
  s = OpenSSL::SSL::SSLSocket.new(left, server)
  s.accept
  s.puts s.gets.upcase
end
c = OpenSSL::SSL::SSLSocket.new(right, client)
c.hostname = 'localhost'
c.connect
c.puts 'hello'
abort 'no answer' unless c.gets == "HELLO\n"
thread.join
