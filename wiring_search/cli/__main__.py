from wiring_search.cli import main

main()
