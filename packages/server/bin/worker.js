import '../dist/workers/main.js'
