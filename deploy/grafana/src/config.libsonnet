{
  // Where a copy of docs/ can be read: the links "What to do" lead there. Put your own here, then `make dashboards`.
  docs: 'https://tidewatch.example/docs',
}
