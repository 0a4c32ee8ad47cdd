import '../dist/outbox/sqlite-reader-main.js'
