package service

import (
	"context"

	"portalhooks/delivery"
)

// Ingest stores what Portal reports, once however often it is sent: see
// [Ingester.Ingest]. Only Portal may report.
func (s *Service) Ingest(
	ctx context.Context, c delivery.Caller, reports []delivery.Report,
) ([]delivery.IngestResult, error) {
	ctx, span := s.pipeline.Tracer.Ingest(ctx, len(reports))
	results, err := s.ingest(ctx, c, reports)
	s.pipeline.Tracer.Ingested(span, results, err)
	return results, err
}

func (s *Service) ingest(
	ctx context.Context, c delivery.Caller, reports []delivery.Report,
) ([]delivery.IngestResult, error) {
	if err := c.CheckPortal(); err != nil {
		return nil, err
	}
	return s.pipeline.Ingester.Ingest(ctx, c.Scope, reports)
}
