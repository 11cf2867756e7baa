package delivery

import "context"

// Ingest stores what Portal reports, once however often it is sent: see
// [Ingester.Ingest]. Only Portal may report.
func (s *Service) Ingest(ctx context.Context, c Caller, reports []Report) ([]IngestResult, error) {
	ctx, span := s.pipeline.Tracer.ingest(ctx, len(reports))
	results, err := s.ingest(ctx, c, reports)
	s.pipeline.Tracer.ingested(span, results, err)
	return results, err
}

func (s *Service) ingest(ctx context.Context, c Caller, reports []Report) ([]IngestResult, error) {
	if err := c.checkPortal(); err != nil {
		return nil, err
	}
	return s.pipeline.Ingester.Ingest(ctx, c.Scope, reports)
}

// Watch follows the delivery log: see [Publisher.Watch]. The errors are those of
// Deliveries, and Invalid for a cursor that is none.
func (s *Service) Watch(ctx context.Context, c Caller, in WatchInput) (<-chan LogItem, error) {
	if err := checkWatch(c, in.Org); err != nil {
		return nil, err
	}
	return s.pipeline.Publisher.Watch(ctx, in)
}
